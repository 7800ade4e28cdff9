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


@pytest.fixture
def page(browser, served):
    """A fresh page; ``page.show(path)`` opens a screen and waits until it is still."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    opened.show = lambda path="": show(opened, f"{served}/{path}")
    yield opened
    context.close()
