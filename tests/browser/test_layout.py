"""What is on the screen can be read: contrast in both themes, nothing over something else, narrow screens."""

import pytest

from tests.browser.app import show
from tests.browser.contrast import contrast_of
from tests.browser.map_viewer import view

TEXTS = {  # screen -> texts of its figures
    "": (".textpoint text", ".xtick text", ".ytick text"),
    "sensors": (".annotation text", ".xtick text", ".ytick text", ".xtitle", ".ytitle", ".bartext"),
    "sensors?part=Trained+sensor+by+sensor": (".annotation text", ".legendtext", ".xtick text", ".ytick text"),
    "similar": (".legendtext", ".xtick text", ".ytick text"),
    "prototypes": (".legendtext", ".xtick text", ".xtitle"),
}


@pytest.fixture
def screen_of(new_page, served):
    """Call it with a path, and what :func:`new_page` takes, for a page that shows a screen."""

    def opened(path, width=1440, height=900, **look):
        page = new_page(width, height, **look)
        show(page, f"{served}/{path}")
        return page

    return opened


def boxes(locator):
    return [one.bounding_box() for one in locator.all()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", TEXTS)
def test_text_in_figures_has_contrast(screen_of, screen, scheme):
    page = screen_of(screen, scheme=scheme, scale=3)
    page.wait_for_timeout(500)
    for kind in TEXTS[screen]:
        texts = page.locator(f".js-plotly-plot {kind}")
        assert texts.count() > 0, kind
        ratios = [contrast_of(texts.nth(number)) for number in range(min(9, texts.count()))]
        assert min(ratios) >= 4.5, (kind, ratios)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_around_a_pair_has_contrast(screen_of, scheme):
    page = screen_of("leaf?pair=id_0003", scheme=scheme, scale=3)
    for kind in (".segments span", ".name", ".value", "figcaption", ".badge button", ".scale span", "output"):
        texts = page.locator(f".viewer {kind}:visible")
        assert texts.count() > 0, kind
        ratios = [contrast_of(texts.nth(number)) for number in range(min(6, texts.count()))]
        assert min(ratios) >= 4.5, (kind, ratios)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_around_the_map_has_contrast(screen_of, scheme):
    page = screen_of("map", scheme=scheme, scale=3)
    view(page)
    for kind in (".legend button", ".legend .symbol", ".toolbar button"):
        texts = page.locator(f".map-view {kind}:visible")
        assert texts.count() > 0, kind
        ratios = [contrast_of(texts.nth(number)) for number in range(min(6, texts.count()))]
        assert min(ratios) >= 4.5, (kind, ratios)


def test_the_toolbar_does_not_cover_the_map_or_its_legend(screen_of):
    page = screen_of("map")
    of = view(page)
    bar, points = of.locator(".toolbar").bounding_box(), of.locator(".stage").bounding_box()
    assert bar["y"] + bar["height"] <= points["y"]
    for entry in boxes(of.locator(".legend button")):
        assert entry["y"] >= points["y"] + points["height"]


def test_the_map_fits_above_the_fold(screen_of):
    page = screen_of("map")
    points = view(page).locator(".stage").bounding_box()
    assert points["y"] + points["height"] <= 900


@pytest.mark.parametrize("width", [420, 1280])
def test_the_map_and_its_panel_fit_the_width(screen_of, width):
    page = screen_of("map?selection=umap.embedding.2.0~box~0_0_65535_65535", width=width)
    points = view(page).locator(".stage").bounding_box()
    assert points["x"] >= 0
    assert points["x"] + points["width"] <= width
    assert points["width"] >= 0.8 * width if width < 640 else points["width"] > 400
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ways = page.locator(".st-key-map_clear button, .st-key-map_leaf button, .st-key-map_similar button")
    seen = boxes(ways.locator("visible=true"))  # Streamlit lays buttons with a hint out twice
    assert len(seen) == 3
    for one in seen:
        assert one["x"] + one["width"] <= width


@pytest.mark.parametrize("width", [420, 1280, 1440])
def test_a_pair_is_side_by_side(screen_of, width):
    page = screen_of("leaf?pair=id_0003", width=width)
    first, second = boxes(page.locator(".viewer .stage canvas"))
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] <= second["x"]
    assert second["x"] + second["width"] <= width


def test_a_gallery_has_at_least_three_in_a_row_on_a_phone(screen_of):
    for path in ("leaf?pair=id_0003", "prototypes"):
        page = screen_of(path, width=420)
        tops = [box["y"] for box in boxes(page.locator('[data-testid="stImage"] img'))]
        assert max(tops.count(top) for top in tops) >= 3


def test_previous_next_and_count_stay_together(screen_of):
    for width in (1280, 1440, 420):
        page = screen_of("leaf?pair=id_0003", width=width, height=720)
        previous, following = (page.get_by_role("button", name=name).bounding_box() for name in ("Previous", "Next"))
        count = page.get_by_text("4 of 60", exact=True).bounding_box()
        middle = [box["y"] + box["height"] / 2 for box in (previous, following, count)]
        assert max(middle) - min(middle) < 20
