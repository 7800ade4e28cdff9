"""The Attribution screen in a real browser: from the figures to a leaf, and its evidence on disk."""

import pytest

from tests.browser.app import served_app, settle, show
from tests.browser.contrast import contrast_of
from tests.dashboard.judged import write_judged_run
from tests.fake_attribution import write_attribution

LEAVES = "attribution?attribution_part=Best+and+worst+leaves"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The app on a run of 24 pairs that was explained; ``id_0003`` has the worst map by RGB."""
    store = write_judged_run(tmp_path_factory.mktemp("attribution") / "run", pairs=24)
    write_attribution(store)
    with served_app(store.root) as address:
        yield address


@pytest.fixture
def opened(new_page, url):
    """Call it with a path, and a colour scheme, for a page that shows it; it fails on errors of the page."""
    said = []

    def open_page(path, **look):
        page = new_page(**look)
        page.on("pageerror", lambda error: said.append(str(error)))
        show(page, f"{url}/{path}")
        return page

    yield open_page
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_in_its_figures_has_contrast(opened, scheme):
    page = opened("attribution", scheme=scheme, scale=3)
    page.wait_for_timeout(500)
    for kind in (".annotation text", ".xtick text", ".ytick text", ".legendtext", ".xtitle"):
        texts = page.locator(f".js-plotly-plot {kind}")
        assert texts.count() > 0, kind
        ratios = [contrast_of(texts.nth(number)) for number in range(min(6, texts.count()))]
        assert min(ratios) >= 4.5, (kind, ratios)


def test_the_class_and_the_part_are_in_the_link(opened):
    page = opened("attribution")
    page.locator('.st-key-trust_class button:has-text("brown")').click()
    settle(page)
    page.locator('.st-key-attribution_part button:has-text("Bands")').click()
    settle(page)
    page.wait_for_url("**attribution_part=Bands**")
    assert "near infrared" in page.locator('[data-testid="stMain"]').inner_text()


def test_the_worst_leaf_opens_with_its_grey_map(opened):
    page = opened(LEAVES)
    page.locator(".st-key-trust-worst-0-rgb button").first.click()
    page.wait_for_selector('h1:has-text("Leaf")')
    settle(page)
    assert "pair=id_0003" in page.url
    page.wait_for_selector('.viewer .badge:has-text("no better than random")')


def test_evidence_of_the_worst_leaves_comes_as_one_page(opened, tmp_path, browser):
    page = opened(LEAVES)
    page.get_by_role("button", name="Export evidence").last.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="One page (HTML)").last.click()
    file = tmp_path / "evidence.html"
    download.value.save_as(file)
    text = file.read_text(encoding="utf-8")
    assert "id_0003" in text
    assert "no better than random" in text
    context = browser.new_context()
    reader, asked = context.new_page(), []
    reader.on("request", lambda request: asked.append(request.url.partition(",")[0]))
    reader.goto(file.as_uri())
    assert {address for address in asked if not address.startswith("data:")} == {file.as_uri()}
    context.close()
