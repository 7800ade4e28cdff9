"""The page of evidence in a browser: it asks for nothing, logs nothing, runs nothing, and fits a telephone."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from rice_ssl.evidence.page import to_page
from rice_ssl.evidence.read import read_leaves
from tests.evidence.hostile import FORMULA, PAIR, write_hostile_run

WIDTHS = (1440, 420)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A page of leaves whose names are markup."""
    folder = tmp_path_factory.mktemp("evidence")
    found = folder / "leaves.html"
    found.write_bytes(to_page(read_leaves(write_hostile_run(folder / "run"), [PAIR, FORMULA, "id_0000"])))
    return found


@pytest.fixture
def opened(browser, file):
    """Call it with a width and a colour scheme to open the page; it fails on requests, messages and dialogs."""
    contexts, seen = [], []

    def open_page(width, scheme):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: seen.append(request.url.partition(",")[0]))
        for event in ("console", "pageerror", "dialog", "requestfailed"):
            page.on(event, lambda told, event=event: seen.append((event, str(told))))
        page.goto(file.as_uri())
        page.wait_for_timeout(200)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert set(seen) <= {file.as_uri(), "data:image/jpeg;base64", "data:image/png;base64"}


@pytest.mark.parametrize("width", WIDTHS)
def test_it_asks_for_nothing_and_fits(opened, width):
    page = opened(width, "light")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.scripts.length") == 0
    sizes = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert len(sizes) == 3 * 5
    assert min(sizes) > 0  # the policy lets pictures that the page holds be shown


def test_it_is_dark_where_the_reader_wants_it(opened):
    lightness = {}
    for scheme in ("light", "dark"):
        shot = opened(420, scheme).screenshot()
        lightness[scheme] = np.median(np.asarray(Image.open(io.BytesIO(shot)).convert("L")))
    assert lightness["light"] > 230
    assert lightness["dark"] < 50


def test_on_paper_each_leaf_begins_a_page(opened):
    page = opened(1440, "light")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    paper = page.pdf()
    leaves, found = page.locator(".leaf").count(), len(re.findall(rb"/Type\s*/Page\b", paper))
    assert leaves == 3
    assert found > leaves  # and what comes before
