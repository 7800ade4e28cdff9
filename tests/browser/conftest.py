"""The app on a fake run, and a page of Chromium that looks at it."""

import os

import pytest
from playwright.sync_api import sync_playwright

from rice_ssl.artifacts import write_comparison
from tests.browser.app import FLAGS, NO_CHROMIUM, chromium_path, served_app, show
from tests.dashboard.judged import COMPARISON, write_compared_run, write_judged_run


@pytest.fixture(scope="session")
def chromium():
    found = chromium_path()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(NO_CHROMIUM)
        pytest.skip(NO_CHROMIUM)
    return found


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """URL of the app on a fake run of 60 pairs that were cross-validated and audited, with a comparison."""
    folder = tmp_path_factory.mktemp("browser")
    write_judged_run(folder / "run", pairs=60)
    write_comparison(folder / "comparison", COMPARISON)
    write_compared_run(folder / "comparison" / "rgb-swav", sensors="rgb", pairs=60)
    with served_app(folder / "run", comparison=folder / "comparison") as url:
        yield url


@pytest.fixture(scope="session")
def browser(chromium):
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def contexts(browser):
    """Call it with a scale for a browser context, the same one each time: its pages have the app's scripts already."""
    made = {}

    def context(scale):
        if scale not in made:
            made[scale] = browser.new_context(device_scale_factor=scale)
        return made[scale]

    yield context
    for each in made.values():
        each.close()


@pytest.fixture
def new_page(contexts):
    """Call it with a size, a scheme and a scale for a page that remembers nothing of other tests."""
    opened = []

    def page(width=1440, height=1000, scheme="light", scale=1):
        found = contexts(scale).new_page()
        found.set_viewport_size({"width": width, "height": height})
        found.emulate_media(color_scheme=scheme)
        found.set_default_timeout(30_000)
        opened.append(found)
        return found

    yield page
    for each in opened:
        each.context.set_offline(False)
        each.evaluate("() => { if (location.protocol === 'http:') localStorage.clear() }")
        each.close()


@pytest.fixture
def page(new_page, served):
    """A fresh page; ``page.show(path)`` opens a screen and waits until it is still."""
    opened = new_page()
    opened.show = lambda path="": show(opened, f"{served}/{path}")
    return opened
