"""The app on a fake run, served, and a page of Chromium that looks at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.fakes import write_fake_run

ROOT = Path(__file__).parent.parent.parent
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BUSY = ", ".join(
    [
        '[data-test-script-state="running"]',
        '[data-test-script-state="rerunRequested"]',
        '[data-testid="stSkeleton"]',
        '[data-testid="stAppSkeleton"]',
        '[data-stale="true"]',
    ]
)


@pytest.fixture(scope="session")
def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        message = "No chromium on the PATH (apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """URL of the app on a fake run of 60 pairs."""
    run = tmp_path_factory.mktemp("browser") / "run"
    write_fake_run(run, pairs=60)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--", "--run", str(run)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            break
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    else:
        process.kill()
        pytest.fail("The app did not start within a minute")
    yield url
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="session")
def browser(chromium):
    from playwright.sync_api import sync_playwright

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

    def show(path=""):
        opened.goto(f"{served}/{path}")
        opened.wait_for_selector('[data-testid="stApp"]')
        opened.wait_for_selector('[data-testid="stSidebarNavLink"]')
        settle(opened)

    opened.show = show
    yield opened
    context.close()


def settle(page, quiet=0.4, limit=60.0):
    """Wait until nothing has been running or greyed for ``quiet`` seconds; fail on an exception on screen."""
    end, still_since = time.monotonic() + limit, None
    while time.monotonic() < end:
        if page.locator(BUSY).count():
            still_since = None
        elif still_since is None:
            still_since = time.monotonic()
        elif time.monotonic() - still_since > quiet:
            exceptions = page.locator('[data-testid="stException"]')
            assert exceptions.count() == 0, exceptions.first.inner_text()
            return
        page.wait_for_timeout(40)
    pytest.fail(f"The screen was still busy after {limit:.0f} s")
