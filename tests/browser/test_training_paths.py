"""The Training screen in a real browser: a log dragged in, linked axes, what is saved, contrast, other runs."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.app import settle
from tests.browser.contrast import contrast_of, luminance

_DROP = """({zone, text}) => {
  const files = new DataTransfer()
  files.items.add(new File([text], 'dragged.csv', {type: 'text/csv'}))
  for (const kind of ['dragenter', 'dragover', 'drop'])
    zone.dispatchEvent(new DragEvent(kind, {dataTransfer: files, bubbles: true, cancelable: true}))
}"""
_RANGES = """plot => Object.keys(plot._fullLayout).filter(key => /^xaxis[0-9]*$/.test(key))
  .map(key => plot._fullLayout[key].range)"""


@pytest.fixture
def opened(page):
    """Call it with a path to open the Training screen in a scheme, its figure drawn."""

    def show(path="training?log=example", scheme="light"):
        page.emulate_media(color_scheme=scheme)
        page.show(path)
        page.wait_for_selector(".js-plotly-plot .nsewdrag")
        page.wait_for_timeout(500)
        return page

    return show


def saved(page, name, number=0):
    """What a click on a button saves: its name, and its bytes."""
    with page.expect_download() as download:
        page.get_by_role("button", name=name).nth(number).click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def test_a_log_that_is_dragged_in_is_judged(page):
    page.show("training?log=upload")
    rows = [f"{step},{4 - 0.002 * step - (step >= 60) + 0.01 * (step % 3)}" for step in range(120)]
    zone = page.get_by_test_id("stFileUploaderDropzone")
    page.evaluate(_DROP, {"zone": zone.element_handle(), "text": "\n".join(["step,loss", *rows])})
    expect(page.get_by_text("dragged.csv")).to_be_visible()
    settle(page)
    expect(page.get_by_text("The loss dropped, but what made it drop is undecided.")).to_be_visible()
    expect(page.get_by_text("The train loss fell by 1 at step 60; no known event")).to_be_visible()


def test_all_panels_go_with_the_zoom(opened):
    page = opened("training?log=example&view=drop")
    plot = page.locator(".js-plotly-plot").first
    ranges = plot.evaluate(_RANGES)
    assert len(ranges) == 3
    assert ranges[0][0] > 100
    assert ranges.count(ranges[0]) == 3
    area = plot.locator(".nsewdrag").first.bounding_box()
    page.mouse.move(area["x"] + 0.4 * area["width"], area["y"] + area["height"] / 2)
    page.mouse.down()
    page.mouse.move(area["x"] + 0.6 * area["width"], area["y"] + area["height"] / 2, steps=5)
    page.mouse.up()
    page.wait_for_timeout(500)
    closer = plot.evaluate(_RANGES)
    assert closer[0][1] - closer[0][0] < 0.3 * (ranges[0][1] - ranges[0][0])
    assert closer.count(closer[0]) == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_are_saved_as_png_and_svg_in_the_colours_of_the_theme(opened, scheme):
    page = opened(scheme=scheme)
    name, content = saved(page, "Save as PNG")
    assert name == "training.png"
    picture = Image.open(io.BytesIO(content))
    assert picture.width > 1000
    corner = np.array(picture.convert("RGBA").getpixel((2, 2)))
    assert corner[3] == 255  # it can be read where it is pasted, on whatever ground
    assert (luminance(corner[:3]) > 0.5) == (scheme == "light")
    name, content = saved(page, "Save as SVG")
    assert name == "training.svg"
    assert content.startswith(b"<svg")
    assert b"queue start" in content
    assert saved(page, "Save as PNG", 1)[0] == "training-test-objective.png"


def test_the_evidence_is_saved_with_the_tests(opened):
    page = opened()
    page.get_by_text("Evidence", exact=True).click()
    settle(page)  # the part unfolds: what is clicked meanwhile may be missed
    name, content = saved(page, "Evidence as JSON")
    found = json.loads(content)
    assert name == "dynamics.json"
    assert found["verdict"] == "schedule artefact"
    assert found["tests"]["changes_objective"] is True


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("test", ["objective", "curvature"])
def test_text_in_the_figures_has_contrast(new_page, served, scheme, test):
    page = new_page(1440, 3000, scheme, scale=3)
    page.goto(f"{served}/training?log=example&test={test}")
    page.wait_for_selector(f".st-key-tests_{test} .js-plotly-plot .legendtext")
    settle(page)
    page.wait_for_timeout(500)
    for kind in (".legendtext", ".ytick text", ".ytitle"):
        texts = page.locator(f".st-key-tests_{test} .js-plotly-plot {kind}")
        ratios = [contrast_of(texts.nth(number)) for number in range(min(9, texts.count()))]
        assert min(ratios) >= 4.5, (kind, ratios)


def test_another_log_is_laid_over_and_the_link_says_so(opened):
    page = opened()
    box = page.get_by_role("combobox", name="Logs to lay over this one")
    box.click()
    box.press_sequentially("original")
    page.get_by_role("option", name="The original's curve").click()
    settle(page)
    expect(page).to_have_url(re.compile("overlay=The.{1,3}original"))
    expect(page.locator(".js-plotly-plot").last.locator(".legendtext").first).to_have_text(
        "Simulated example, training"
    )
