"""``make benchmark-map``: the Map screen with 2,000, 100,000 and 1,000,000 images, beside a plain plotly scatter.

In Chromium, on the demo and on simulated embeddings (``rice-ssl simulate-embeddings``). ``first picture, cold`` is the
first visit after the server started, with the page itself; ``a new visitor`` likewise, afterwards; ``a visitor again``
has the page's scripts already, and ``in the open app`` comes from another screen. Timed are pan and zoom from the event
to the painted frame; a box, of a tenth of the images or somewhat more, from the release of the button until its counts
and gallery are there; another colour and a filter from the click until the points are drawn with it; a tooltip from the
pointer's move onto a point, with the 80 ms that it must rest there, until it says what that is. Memory is what the
server's process holds, and all processes of the browser (PSS) beyond an empty page.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from tests.benchmarks.leaf import server_memory
from tests.browser.app import BUSY, FLAGS, NO_CHROMIUM, ROOT, chromium_path, served_app

DEMO = ROOT / "assets" / "demo"
SIZES = (1_000, 50_000, 500_000)
"""Pairs, twice as many images; the first are those of the demo."""
PLAIN_AT_MOST = 100_000
"""Images of the plotly scatter: of 1,000,000 it made no picture within 150 s, and held the browser for 11 minutes."""
LIMITS = {  # milliseconds
    "first picture, a new visitor": {100_000: 2_000, 1_000_000: 5_000},
    "first picture, a visitor again": {100_000: 2_000, 1_000_000: 5_000},
    "first picture, in the open app": {2_000: 300, 100_000: 2_000, 1_000_000: 5_000},
    "zoom": {2_000: 300, 100_000: 200, 1_000_000: 500},
    "pan": {2_000: 300, 100_000: 200, 1_000_000: 500},
    "box": {2_000: 300, 100_000: 500, 1_000_000: 1_000},
    "another colour": {2_000: 300},
    "a filter": {2_000: 300},
    "a tooltip": {2_000: 300},
}
"""At the 95th percentile; of the first picture, each visit."""
COLOURS, ONLY_LABELS, LABEL = ("Sensor", "Label"), re.compile("Only labels"), "blast"
VIEW = ".map-view[data-drawn]"
LINK = '[data-testid="stSidebarNavLink"]'
_EVENT = """async ([view, kind, turn]) => {
  const canvas = view.querySelector('canvas.over')
  const box = canvas.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2
  const at = (dx, dy) => ({
    bubbles: true, cancelable: true, composed: true, clientX: x + dx, clientY: y + dy, pointerId: 1,
    isPrimary: true, buttons: 1, pointerType: 'mouse', button: 0,
  })
  const painted = () => new Promise(resolve => {
    const channel = new MessageChannel()
    channel.port1.onmessage = resolve
    channel.port2.postMessage(null)
  })
  const before = view.dataset.drawn, start = performance.now()
  if (kind === 'zoom') {
    canvas.focus?.()
    canvas.dispatchEvent(new WheelEvent('wheel', {...at(40, 20), deltaY: turn % 2 ? 120 : -120, ctrlKey: true}))
  } else {
    canvas.dispatchEvent(new PointerEvent('pointerdown', at(0, 0)))
    canvas.dispatchEvent(new PointerEvent('pointermove', at(turn % 2 ? 30 : -30, 20)))
  }
  while (view.dataset.drawn === before) {
    if (performance.now() - start > 20000) throw new Error('Nothing was drawn within 20 s')
    await new Promise(resolve => requestAnimationFrame(resolve))
  }
  await painted()
  const took = performance.now() - start
  if (kind === 'pan') canvas.dispatchEvent(new PointerEvent('pointerup', {...at(turn % 2 ? 30 : -30, 20), buttons: 0}))
  return took
}"""
_STATE = {
    "legend": "view => view.querySelector('.legend').textContent",
    "drawn": "view => view.dataset.drawn",
}
"""What another colour changes of a view, and what every picture of it changes."""
_NOTE_CLICK = """() => document.addEventListener(
  'pointerup', () => { window.clicked = performance.now() }, {capture: true, once: true})"""
_TOOLTIP = """async ([view, turn]) => {
  const canvas = view.querySelector('canvas.over'), tooltip = view.querySelector('.tooltip')
  const box = canvas.getBoundingClientRect()
  for (let step = 100 * turn; step < 100 * turn + 100; step += 1) {
    const [across, down] = [0.618034, 0.754878].map(stride => 0.2 + 0.6 * ((stride * step) % 1))
    const at = {clientX: box.left + across * box.width, clientY: box.top + down * box.height}
    const send = kind =>
      canvas.dispatchEvent(new PointerEvent(kind, {bubbles: true, composed: true, pointerType: 'mouse', ...at}))
    send('pointerleave')  // from the point of before, which is drawn without its ring
    await new Promise(resolve => setTimeout(resolve, 50))
    const before = view.dataset.drawn, start = performance.now(), waited = () => performance.now() - start
    send('pointermove')
    while (view.dataset.drawn === before && waited() < 300) await new Promise(requestAnimationFrame)
    if (view.dataset.drawn === before) continue  // no point is there
    while (tooltip.hidden && waited() < 5000) await new Promise(requestAnimationFrame)
    if (tooltip.hidden) throw new Error('Nothing was said of a point within 5 s')
    return waited()
  }
  throw new Error('Nothing was said of any point')
}"""
_HEADLINE = "() => [...document.querySelectorAll('strong')].find(e => / selected$/.test(e.textContent))?.textContent"
_PANEL_SHOWS = """([before, gallery]) => {
  const panel = [...document.querySelectorAll('strong')].find(each => / selected$/.test(each.textContent))
  if (!panel || panel.textContent === before) return false
  const images = [...document.querySelectorAll('[data-testid="stImage"] img, .stImage img')]
  return images.length >= gallery && images.every(image => image.complete && image.naturalWidth > 0)
}"""


@dataclass
class Measured:
    """Milliseconds of each thing done, and memory in megabytes."""

    images: int
    times: dict[str, list[float]] = field(default_factory=dict)
    server: float = float("nan")
    browser: float = float("nan")

    def add(self, name: str, milliseconds: float) -> None:
        self.times.setdefault(name, []).append(milliseconds)


def made_run(folder: Path, pairs: int) -> Path:
    """The demo, or a run of simulated embeddings, made where it is not there."""
    if pairs == SIZES[0]:
        return DEMO
    run = folder / f"embeddings-{pairs}"
    if not (run / "run.json").is_file():
        command = [sys.executable, "-m", "pipelines.main", "simulate-embeddings", str(pairs), "--out", str(run)]
        subprocess.run(command, cwd=ROOT, check=True)
    return run


def browser_memory() -> float:
    """Proportional set size of all Chromium processes, in megabytes."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, StopIteration):
            if b"chromium" in (folder / "cmdline").read_bytes().split(b"\0")[0]:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def opened(page: Page, url: str) -> float:
    """Milliseconds until the map is painted."""
    start = time.perf_counter()
    page.goto(url)
    page.locator(VIEW).first.wait_for(timeout=120_000)
    return 1000 * (time.perf_counter() - start)


def still(page: Page) -> None:
    page.wait_for_function(f"() => !document.querySelector({BUSY!r})", timeout=120_000)
    page.wait_for_timeout(150)


def pages(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(120_000)
    return page


def dragged(page: Page, share: float) -> None:
    """Draw a box around the middle of the map that covers this share of its sides."""
    box = page.locator(f"{VIEW} canvas.over").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    dx, dy = share * box["width"] / 2, share * box["height"] / 2
    page.mouse.move(x - dx, y - dy)
    page.mouse.down()
    page.mouse.move(x, y, steps=3)
    page.mouse.move(x + dx, y + dy, steps=3)


def selected(page: Page) -> int:
    return int(page.locator(VIEW).get_attribute("data-selected") or 0)


def box_of(page: Page, wanted: int) -> float:
    """Share of the sides whose box holds about so many images."""
    low, high, share = 0.02, 0.98, 0.4
    for _ in range(12):
        dragged(page, share)
        page.mouse.up()
        page.wait_for_timeout(250)
        still(page)
        found = selected(page)
        if wanted <= found <= 1.1 * wanted:
            break
        low, high = (share, high) if found < wanted else (low, share)
        share = (low + high) / 2
    return share


def chosen(page: Page, name: str | re.Pattern[str], option: str | re.Pattern[str], changes: str) -> float:
    """Milliseconds from the choice of an option until the map is drawn with it."""
    page.get_by_role("combobox", name=name).click()
    offered = page.get_by_role("option", name=option).first
    offered.wait_for()
    view = page.locator(VIEW).element_handle()
    before = view.evaluate(_STATE[changes])
    page.evaluate(_NOTE_CLICK)
    offered.click()
    done = f"([view, before]) => ({_STATE[changes]})(view) !== before && performance.now() - window.clicked"
    took = page.wait_for_function(done, arg=[view, before]).json_value()
    still(page)
    return float(took)


def filtered(page: Page) -> float:
    """Milliseconds from the choice of a label until all others are drawn grey; then all are kept again."""
    took = chosen(page, ONLY_LABELS, LABEL, "drawn")
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name=ONLY_LABELS).press("Backspace")
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)
    still(page)
    return took


def look(run: Path, images: int, repeats: int, browser: Browser) -> Measured:
    """Do it all on one run."""
    found = Measured(images)
    empty = browser_memory()
    with served_app(run) as url:
        page = pages(browser)
        found.add("first picture, cold", opened(page, f"{url}/map"))
        still(page)
        page.context.close()
        for visit in range(3):
            page = pages(browser)
            found.add("first picture, a new visitor", opened(page, f"{url}/map"))
            still(page)
            if visit < 2:
                page.context.close()
        for _ in range(4):
            found.add("first picture, a visitor again", opened(page, f"{url}/map"))
            still(page)
        for _ in range(4):
            page.locator(LINK, has_text="Upload").click()
            page.wait_for_selector('h1:has-text("Upload")')
            still(page)
            start = time.perf_counter()
            page.locator(LINK, has_text="Map").click()
            page.locator(VIEW).first.wait_for()
            found.add("first picture, in the open app", 1000 * (time.perf_counter() - start))
            still(page)
        page.locator(VIEW).get_by_role("button", name=re.compile("pan", re.I)).first.click()
        for turn in range(repeats):
            for kind in ("zoom", "pan"):
                found.add(kind, float(page.evaluate(_EVENT, [page.locator(VIEW).element_handle(), kind, turn])))
                page.wait_for_timeout(30)
        page.locator(VIEW).get_by_role("button", name=re.compile("reset|fit|whole", re.I)).first.click()
        page.locator(VIEW).get_by_role("button", name=re.compile("box", re.I)).first.click()
        share = box_of(page, images // 10)
        for turn in range(max(4, repeats // 2)):
            dragged(page, share * (1.03 + 0.03 * (turn % 5)))  # another number of images than the former
            before = page.evaluate(_HEADLINE)
            start = time.perf_counter()
            page.mouse.up()
            page.wait_for_function(_PANEL_SHOWS, arg=[before, min(12, images // 10)])
            found.add("box", 1000 * (time.perf_counter() - start))
            still(page)
            found.add("images in that box", selected(page))
        for turn in range(max(4, repeats // 3)):
            found.add("another colour", chosen(page, "Colour", COLOURS[turn % 2], "legend"))
            found.add("a filter", filtered(page))
            found.add("a tooltip", float(page.evaluate(_TOOLTIP, [page.locator(VIEW).element_handle(), turn])))
            still(page)
        found.server = server_memory(url.rpartition(":")[2])
        found.browser = browser_memory() - empty
        page.context.close()
    return found


@contextlib.contextmanager
def naive_app(run: Path) -> Iterator[str]:
    """The same points by ``st.plotly_chart``, served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "tests/benchmarks/plain_map.py", "--server.headless", "true"]
    process = subprocess.Popen(
        [*command, "--server.port", str(port), "--server.address", "127.0.0.1", "--", str(run)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
                break
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(20)


_PLAIN_ZOOM = """async turn => {
  const plot = document.querySelector('.js-plotly-plot')
  const drag = plot.querySelector('.nsewdrag'), box = drag.getBoundingClientRect()
  const start = performance.now()
  const done = new Promise(resolve => plot.once('plotly_relayout', resolve))
  drag.dispatchEvent(new WheelEvent('wheel', {
    bubbles: true, cancelable: true, clientX: box.left + box.width / 2, clientY: box.top + box.height / 2,
    deltaY: turn % 2 ? 120 : -120,
  }))
  await done
  await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve, 0)))
  return performance.now() - start
}"""


def look_plain(run: Path, images: int, repeats: int, browser: Browser) -> Measured:
    """First picture, zoom, a box and memory of a plain plotly scatter."""
    found = Measured(images)
    empty = browser_memory()
    with naive_app(run) as url:
        for visit, name in enumerate(("first picture, cold", "first picture, a new visitor")):
            page = pages(browser)
            start = time.perf_counter()
            page.goto(url)
            page.wait_for_function(
                "() => document.querySelector('.js-plotly-plot .gl-container canvas')", timeout=120_000
            )
            still(page)
            found.add(name, 1000 * (time.perf_counter() - start))
            if visit == 0:
                page.context.close()
        for turn in range(repeats):
            found.add("zoom", float(page.evaluate(_PLAIN_ZOOM, turn)))
            page.wait_for_timeout(30)
        drag = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
        assert drag is not None
        x, y = drag["x"] + drag["width"] / 2, drag["y"] + drag["height"] / 2
        for turn in range(3):
            size = 60 + 2 * turn
            page.mouse.move(x - size, y - size)
            page.mouse.down()
            page.mouse.move(x + size, y + size, steps=4)
            before = page.locator("[data-testid=stMarkdown]").first.inner_text()
            start = time.perf_counter()
            page.mouse.up()
            page.wait_for_function(
                "before => (document.querySelector('[data-testid=stMarkdown]')?.innerText ?? before) !== before",
                arg=before,
                timeout=120_000,
            )
            found.add("box", 1000 * (time.perf_counter() - start))
            still(page)
        found.server = server_memory(url.rpartition(":")[2])
        found.browser = browser_memory() - empty
        page.context.close()
    return found


def told(title: str, found: Measured) -> None:
    """Print one table."""
    print(f"\n{title}: {found.images:,} images; server {found.server:,.0f} MB, browser {found.browser:,.0f} MB")
    print(f"{'ms':32}{'n':>5}{'median':>9}{'p95':>9}{'max':>9}{'limit':>9}")
    for name, values in found.times.items():
        median, high, most = np.percentile(values, [50, 95, 100])
        limit = LIMITS.get(name, {}).get(found.images)
        print(f"{name:32}{len(values):5}{median:9,.0f}{high:9,.0f}{most:9,.0f}{'' if limit is None else f'{limit:9,}'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "benchmark-map", help="of the simulated runs")
    parser.add_argument("--pairs", type=int, nargs="*", default=SIZES)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--no-plain", action="store_true", help="leave out the plotly scatter")
    given = parser.parse_args()
    chromium = chromium_path()
    if chromium is None:
        raise SystemExit(NO_CHROMIUM)
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    for pairs in given.pairs:
        run = made_run(given.folder, pairs)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            told(f"Map screen, {run.name}", look(run, 2 * pairs, given.repeats, browser))
            browser.close()
        if given.no_plain or 2 * pairs > PLAIN_AT_MOST:
            continue
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            try:
                told(f"st.plotly_chart, {run.name}", look_plain(run, 2 * pairs, min(10, given.repeats), browser))
            except Exception as error:  # what a plain scatter cannot do is a result too
                print(f"\nst.plotly_chart, {run.name}: gave up ({str(error).splitlines()[0]})")
            browser.close()


if __name__ == "__main__":
    main()
