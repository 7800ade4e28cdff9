"""The Similar leaves screen in a real browser: from a leaf to its like, a box drawn on a picture, a phone's width."""

import re

import pytest
from playwright.sync_api import expect

from tests.attribution.network_run import write_network_run
from tests.browser.app import served_app, settle, show
from tests.data.fake_images import picture, write_zindi

SIDE = (80, 64)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """URL of the app on a run with networks, of images of 80 x 64 pixels."""
    folder = tmp_path_factory.mktemp("similar")
    write_zindi(folder / "images", train=20)
    for k in range(24):
        for place, suffix in enumerate(("", "_rgn")):
            picture(1000 * place + k, SIDE).save(folder / "images" / "Images" / f"id_{k:03d}{suffix}.jpg", quality=95)
    with served_app(write_network_run(folder, pairs=20).root) as served:
        yield served


def nearest_to(page):
    return page.locator("h4").filter(has_text="Nearest to")


def test_from_a_leaf_to_its_like_and_on_and_back(page, url):
    show(page, f"{url}/leaf?pair=id_004")
    page.get_by_role("button", name="Search similar leaves").click()
    page.wait_for_selector('h1:has-text("Similar leaves")')
    settle(page)
    expect(nearest_to(page)).to_have_text("Nearest to the RGB image of id_004")
    assert "pair=id_004" in page.url
    found = page.locator(".st-key-similar-rgnir")
    expect(found.get_by_text("24 were searched, every one of them compared.")).to_be_visible()
    expect(found.get_by_text(re.compile(r"The twin is number \d+ of 24"))).to_be_visible()
    assert found.locator("img").count() == 12
    other = found.locator("img").first.get_attribute("alt").removeprefix("RGNIR image of ")
    found.get_by_role("button", name="More").first.click()
    settle(page)
    expect(nearest_to(page)).to_have_text(f"Nearest to the RGNIR image of {other}")
    assert f"pair={other}" in page.url
    page.reload()
    page.wait_for_selector('[data-testid="stSidebarNavLink"]')
    settle(page)
    expect(nearest_to(page)).to_have_text(f"Nearest to the RGNIR image of {other}")
    page.get_by_role("button", name="Open leaf").click()
    page.wait_for_selector('h1:has-text("Leaf")')
    settle(page)
    expect(page.locator("h4").first).to_have_text(other)


def test_a_box_that_is_drawn_is_searched_with(page, url):
    show(page, f"{url}/similar?pair=id_004&similar_by=A+region+of+an+image")
    expect(page.get_by_text("40 x 32 pixels are embedded as a whole image of their own")).to_be_visible()
    draw(page, (0.1, 0.1), (0.6, 0.9))
    sides = [int(page.get_by_label(name, exact=True).input_value()) for name in ("Left", "Top", "Right", "Bottom")]
    for side, expected in zip(sides, (8, 6, 48, 58), strict=True):
        assert abs(side - expected) <= 2
    assert f"similar_region={'_'.join(str(side) for side in sides)}" in page.url
    expect(nearest_to(page)).to_have_text("Nearest to a region of the RGB image of id_004")
    expect(page.get_by_text("The image it is of is number")).to_be_visible()
    draw(page, (0.5, 0.5), (0.55, 0.9))
    expect(page.get_by_text(re.compile(r"The region has \d x \d+ pixels: choose one with at least 16"))).to_be_visible()
    right = page.get_by_label("Right", exact=True)  # by keyboard alone
    right.fill("70")
    right.press("Enter")
    settle(page)
    expect(nearest_to(page)).to_be_visible()
    assert re.search(r"similar_region=\d+_\d+_70_\d+", page.url)


def draw(page, start, end):
    """Draw a box from one place of the picture to another, in shares of its width and height."""
    place = page.locator(".js-plotly-plot .nsewdrag").first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move((at[0][0] + at[1][0]) / 2, (at[0][1] + at[1][1]) / 2, steps=4)
    page.mouse.move(*at[1], steps=4)
    page.mouse.up()
    page.wait_for_timeout(300)
    settle(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(new_page, url, scheme):
    page = new_page(420, 900, scheme)
    page.set_default_timeout(60_000)
    for query in ("pair=id_004", "pair=id_004&similar_by=A+region+of+an+image"):
        show(page, f"{url}/similar?{query}")
        expect(nearest_to(page)).to_be_visible()
        for element in page.locator('[data-testid="stMain"] img, [data-testid="stMain"] button, .js-plotly-plot').all():
            box = element.bounding_box()
            assert box is None or box["x"] + box["width"] <= 420
