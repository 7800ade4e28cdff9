"""Serve the app on a run, and look at it in Chromium."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent.parent
SCREENS = (
    "Overview",
    "Leaf",
    "Similar leaves",
    "Upload",
    "Sensors",
    "Attribution",
    "Runs",
    "Map",
    "Prototypes",
    "Training",
)
"""Those that show a run; Ablation shows a grid of them."""
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
NO_CHROMIUM = "No chromium on the PATH (apt-get install chromium)"


def chromium_path() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.contextmanager
def served_app(*runs: Path, comparison: Path | None = None) -> Iterator[str]:
    """URL of the app, served on these runs, and with this comparison where one is given."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--"]
    command += [part for run in runs for part in ("--run", str(run))]
    command += ["--comparison", str(comparison)] if comparison else []
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
                break
            time.sleep(0.2)
        else:
            raise TimeoutError("The app did not start within a minute")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def show(page: Page, url: str) -> None:
    """Open a screen and wait until it is still."""
    page.goto(url)
    page.wait_for_selector('[data-testid="stApp"]')
    page.wait_for_selector('[data-testid="stSidebarNavLink"]')
    settle(page)


def go(page: Page, screen: str) -> None:
    """Follow the navigation to a screen."""
    page.locator('[data-testid="stSidebarNavLink"]', has_text=screen).click()
    page.wait_for_selector(f'h1:has-text("{screen}")')
    settle(page)


def settle(page: Page, quiet: float = 0.4, limit: float = 60.0) -> None:
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
    raise AssertionError(f"The screen was still busy after {limit:.0f} s")
