"""The viewer of a pair in a real browser: what is drawn without the server, zoom, swipe, difference, greyed maps."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import expect

from rice_ssl.artifacts import RunStore
from rice_ssl.attribution.overlay import overlay
from tests.browser.app import go, served_app, settle, show
from tests.dashboard.judged import write_judged_run
from tests.fake_attribution import write_attribution

PAIR = "id_0003"
"""The first test pair: RGB's Grad-CAM does no better than random; its pictures are registered."""
TRUSTED = "id_0011"
"""Another registered pair, both of whose maps can be trusted."""
APART = "id_0007"
"""A test pair whose pictures are not registered."""
DX, DY = 50, -40
"""Shift of the registered pictures in pixels of files of 500 x 400."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = write_judged_run(tmp_path_factory.mktemp("leaf") / "run", pairs=24)
    write_attribution(store)
    ids = store.read_table("manifest")["pair_id"].unique()
    shifts = {"dx": float(DX), "dy": float(DY), "confidence": 0.5, "confident": ids != APART}
    store.write_table("registration", pd.DataFrame({"pair_id": ids, **shifts}))
    return store.root


@pytest.fixture(scope="module")
def leaf_url(run):
    with served_app(run) as url:
        yield f"{url}/leaf"


@pytest.fixture
def leaf(new_page, leaf_url):
    """Call it with a query for a page that shows the Leaf screen; ``page.said`` are the console's errors."""

    def opened(query=f"pair={PAIR}", **look):
        page = new_page(**look)
        page.said = []
        page.on("console", lambda told: page.said.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        show(page, f"{leaf_url}?{query}")
        page.wait_for_selector(".viewer[data-pair]")
        return page

    return opened


def canvases(page):
    return page.locator(".viewer figure:visible .stage canvas")


def pixels(canvas):
    """What a canvas holds, shape (H, W, 4)."""
    url = canvas.evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA")).astype(int)


def without_server(page):
    """Let nothing through to the server any more."""
    page.context.set_offline(True)


def test_a_pair_is_drawn_as_python_draws_it(leaf, run):
    """The canvas is the overlay that rice_ssl draws, of the very map, but for the scaling of the picture."""
    page = leaf(f"pair={APART}&class=blast&leaf_opacity=0.8")
    store = RunStore(run)
    index = store.read_table("attribution").set_index(["pair_id", "sensor"])["row"]
    maps = np.load(run / "attribution" / "grad_cam.layer4.npy").astype(np.float32)
    jpegs = store.read_table("thumbnails").set_index(["pair_id", "sensor"])["jpeg"]
    own = [maps[index[APART, name], 0] for name in ("rgb", "rgnir")]
    scale = float(max(one.max() for one in own))
    for number, name in enumerate(("rgb", "rgnir")):
        found = pixels(canvases(page).nth(number))
        picture = np.asarray(Image.open(io.BytesIO(jpegs[APART, name])).convert("RGB"))
        size = (found.shape[1], found.shape[0])
        expected = Image.fromarray(overlay(picture, own[number], opacity=0.8, scale=scale)).resize(size)
        assert np.abs(found[..., :3] - np.asarray(expected).astype(int)).mean() < 4, name
        # The map is there: without it the picture is another one.
        bare = np.asarray(Image.fromarray(picture).resize(size)).astype(int)
        assert np.abs(found[..., :3] - bare).mean() > 12


def test_class_and_opacity_are_drawn_without_the_server(leaf):
    page = leaf()
    first = pixels(canvases(page).nth(0))
    without_server(page)
    page.get_by_role("radio", name="healthy").check(force=True)
    expect(page.get_by_text("RGB, evidence for healthy")).to_be_visible()
    healthy = pixels(canvases(page).nth(0))
    assert np.abs(healthy - first).mean() > 1
    slider = page.get_by_role("slider", name="Opacity")
    for _ in range(12):
        slider.press("ArrowLeft")
    expect(page.locator("output")).to_have_text("0.00")
    bare = pixels(canvases(page).nth(0))
    assert np.abs(bare - healthy).mean() > 1
    page.get_by_role("radio", name="brown").check(force=True)
    np.testing.assert_array_equal(pixels(canvases(page).nth(0)), bare)  # at no opacity all classes are the picture


def test_what_is_chosen_is_in_the_link_and_stays(leaf):
    page = leaf()
    page.get_by_role("radio", name="healthy").check(force=True)
    page.get_by_role("radio", name="Swipe").check(force=True)
    page.get_by_role("slider", name="Opacity").press("ArrowLeft")
    expect(page).to_have_url(re.compile("class=healthy"))
    expect(page).to_have_url(re.compile("leaf_mode=swipe"))
    expect(page).to_have_url(re.compile(r"leaf_opacity=0\.55"))
    settle(page)
    page.get_by_role("button", name="Next").click()
    page.wait_for_selector('.viewer[data-pair="id_0004"]')
    settle(page)
    expect(page.get_by_role("radio", name="healthy")).to_be_checked()
    expect(page.get_by_role("radio", name="Swipe")).to_be_checked()
    go(page, "Map")
    go(page, "Leaf")
    page.wait_for_selector(".viewer[data-pair]")
    expect(page.get_by_role("radio", name="healthy")).to_be_checked()
    expect(page.get_by_role("slider", name="Opacity")).to_have_value("0.55")
    expect(page).to_have_url(re.compile("class=healthy"))
    page.get_by_role("radio", name="predicted").check(force=True)
    expect(page).not_to_have_url(re.compile("class="))


def test_another_map_comes_from_the_server_and_is_in_the_link(leaf):
    page = leaf()
    before = pixels(canvases(page).nth(0))
    page.get_by_role("combobox", name="Map", exact=True).select_option("occlusion.input")
    expect(page).to_have_url(re.compile("leaf_map=occlusion.input"))
    expect(page.get_by_text("against", exact=True)).to_be_visible()
    settle(page)
    assert np.abs(pixels(canvases(page).nth(0)) - before).mean() > 1
    page.get_by_role("combobox", name="Map", exact=True).select_option("similarity")
    expect(page.get_by_text("RGB, what makes the encoder take the two for one plant")).to_be_visible()
    expect(page.get_by_role("radio", name="healthy")).to_be_disabled()


def test_zoom_and_pan_move_both_pictures(leaf):
    page = leaf()
    left, right = canvases(page).nth(0), canvases(page).nth(1)
    whole = [pixels(left), pixels(right)]
    left.focus()
    for key in ("+", "+", "+", "ArrowRight"):
        left.press(key)
    window = [[one.get_attribute(f"data-{name}") for name in ("zoom", "left", "top")] for one in (left, right)]
    assert window[0] == window[1]
    assert float(window[0][0]) == pytest.approx(1.25**3, abs=1e-3)
    assert float(window[0][1]) == pytest.approx((1 - 1.25**-3) / 2 + 0.1 / 1.25**3, abs=1e-3)
    for before, canvas in zip(whole, (left, right), strict=True):
        assert np.abs(pixels(canvas) - before).mean() > 1
    right.dblclick()
    for before, canvas in zip(whole, (left, right), strict=True):
        np.testing.assert_array_equal(pixels(canvas), before)
    box = right.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)  # the picture has been clicked, so the wheel is its own
    expect(left).to_have_attribute("data-zoom", "2.718")
    assert left.get_attribute("data-left") == right.get_attribute("data-left") != "0.0000"
    before = float(left.get_attribute("data-left"))
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4 + 40, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    moved = float(left.get_attribute("data-left"))
    assert moved == pytest.approx(before - 40 / box["width"] / np.e, abs=2e-3)


def test_the_wheel_belongs_to_the_page_until_a_picture_is_clicked(leaf):
    page = leaf()
    box = canvases(page).first.bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(100)
    expect(canvases(page).first).to_have_attribute("data-zoom", "1.000")


def test_swipe_lays_the_second_picture_on_the_first_by_the_shift(leaf):
    """RGB's picture is green and RGNIR's blue, with a square; opacity 0 leaves the pictures alone."""
    page = leaf(f"pair={PAIR}&leaf_mode=swipe&leaf_opacity=0")
    expect(canvases(page)).to_have_count(1)
    divider = page.get_by_role("slider", name="Divider between RGB and RGNIR")
    expect(divider).to_have_attribute("aria-valuenow", "50")
    found = pixels(canvases(page))
    height, width = found.shape[:2]
    low = int(0.5 * height)
    green, blue = found[low, int(0.1 * width)], found[low, int(0.95 * width)]
    assert green[1] > 120 > green[2]
    assert blue[2] > 180 > blue[1]
    # Moved up by a tenth: at the bottom, right of the divider, the second picture does not reach.
    assert np.ptp(found[int(0.97 * height), int(0.8 * width)][:3]) < 8
    divider.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")
    left = pixels(canvases(page))[low, int(0.05 * width)]
    assert np.ptp(left[:3]) < 8  # moved to the right by a tenth
    assert pixels(canvases(page))[low, int(0.15 * width)][2] > 180
    divider.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "5")
    expect(page.get_by_text("RGNIR is moved by 50 pixels to the right and 40 up")).to_be_visible()


def test_swipe_of_pictures_that_are_not_registered_says_so(leaf):
    page = leaf(f"pair={APART}&leaf_mode=swipe")
    expect(page.get_by_text("The two pictures are not registered")).to_have_count(2)  # the viewer, and the agreement


def test_difference_is_signed_and_on_the_first_picture(leaf, run):
    page = leaf(f"pair={TRUSTED}&leaf_mode=difference&class=blast&leaf_opacity=1")
    expect(canvases(page)).to_have_count(1)
    index = RunStore(run).read_table("attribution").set_index(["pair_id", "sensor"])["row"]
    maps = np.load(run / "attribution" / "grad_cam.layer4.npy").astype(np.float32)
    a, b = (maps[index[TRUSTED, name], 0] for name in ("rgb", "rgnir"))
    found = pixels(canvases(page))
    height, width = found.shape[:2]

    def value(grid, x, y):
        """Slow bilinear look-up of a share of the picture."""
        rows, columns = grid.shape
        where = [min(max(share * cells - 0.5, 0), cells - 1) for share, cells in ((y, rows), (x, columns))]
        low = [min(int(one), cells - 2) for one, cells in zip(where, (rows, columns), strict=True)]
        part = [one - least for one, least in zip(where, low, strict=True)]
        corner = grid[low[0] : low[0] + 2, low[1] : low[1] + 2]
        return np.array([1 - part[0], part[0]]) @ corner @ np.array([1 - part[1], part[1]])

    scale = max(a.max(), b.max())
    checked = 0
    for x in np.arange(0.15, 0.99, 0.04):
        for y in (0.1, 0.2, 0.85 - 0.04):
            share = (value(a, x, y) - value(b, x - DX / 500, y - DY / 400)) / scale
            red, _, blue = found[int(y * height), int(x * width)][:3] - np.array([40, 160, 60])
            if abs(share) > 0.3:
                assert (red > blue) == (share > 0), (x, y, share)
                checked += 1
    assert checked >= 5
    expect(page.get_by_text("more in RGNIR", exact=True)).to_be_visible()


def test_a_difference_of_a_map_no_better_than_random_is_grey(leaf):
    page = leaf(f"pair={PAIR}&leaf_mode=difference&leaf_opacity=1&class=blast")
    most = pixels(canvases(page)).reshape(-1, 4)[:, :3].astype(int)
    ground = np.abs(most - [40, 160, 60]).sum(axis=1)
    covered = most[ground > np.percentile(ground, 99)]
    page = leaf(f"pair={TRUSTED}&leaf_mode=difference&leaf_opacity=1&class=blast")
    coloured = pixels(canvases(page)).reshape(-1, 4)[:, :3].astype(int)
    assert np.ptp(covered, axis=1).mean() < np.ptp(coloured, axis=1).mean()


def test_no_difference_is_drawn_of_pictures_that_are_not_registered(leaf):
    page = leaf(f"pair={APART}&leaf_mode=difference")
    expect(canvases(page)).to_have_count(2)
    expect(page.get_by_text("No difference is drawn cell by cell")).to_be_visible()
    assert pixels(canvases(page).first)[..., 3].min() == 255


def test_sensors_that_predict_two_classes_are_subtracted_in_one(leaf):
    page = leaf("pair=id_0000&leaf_mode=difference")
    expect(page.get_by_text("The sensors predict two classes; both maps are of")).to_be_visible()
    said = canvases(page).first.get_attribute("aria-label")
    assert re.fullmatch(r"RGB less RGNIR, evidence for (blast|brown); of id_0000", said)


def test_a_map_no_better_than_random_is_grey_and_says_so(leaf):
    page = leaf(f"pair={PAIR}&leaf_opacity=0")
    bare = [pixels(canvases(page).nth(k)) for k in (0, 1)]
    slider = page.get_by_role("slider", name="Opacity")
    slider.press("End")
    expect(page.locator("output")).to_have_text("1.00")
    full = [pixels(canvases(page).nth(k)) for k in (0, 1)]
    covered = [np.abs(after - before).sum(axis=2) for before, after in zip(bare, full, strict=True)]
    spread = [
        np.ptp(after[where > np.percentile(where, 99.8)][:, :3], axis=1).mean()
        for after, where in zip(full, covered, strict=True)
    ]
    assert spread[0] < 25  # where the map covers most, RGB's is without colour
    assert spread[1] > 60
    badge = page.get_by_role("button", name="no better than random")
    badge.click()
    expect(page.get_by_text("p = 0.50 that one does as well")).to_be_visible()
    page.get_by_role("radio", name="healthy").check(force=True)
    expect(page.get_by_role("button", name="measured for the predicted class only")).to_have_count(2)


def test_canvases_say_what_they_show(leaf):
    page = leaf(f"pair={PAIR}&class=brown")
    for number, title in enumerate(("RGB", "RGNIR")):
        expect(page.get_by_role("img", name=f"{title} image of {PAIR}, evidence for brown", exact=True)).to_be_visible()
        expect(page.get_by_role("img", name=f"Probabilities by {title}: blast")).to_be_visible()
        expect(canvases(page).nth(number)).to_have_attribute("tabindex", "0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 1440])
def test_nothing_is_wider_than_the_screen_and_the_console_is_quiet(leaf, width, scheme):
    page = leaf(width=width, scheme=scheme)
    for mode in ("Swipe", "Difference", "Side by side"):
        page.get_by_role("radio", name=mode).check(force=True)
        for canvas in canvases(page).all():
            box = canvas.bounding_box()
            assert box["width"] >= 140
            assert box["x"] + box["width"] <= width
    # Streamlit asks for its health below the screen's own address, in vain.
    assert [text for text in page.said if "404" not in text] == []
