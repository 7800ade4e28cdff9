"""``make benchmark-leaf``: how long the Leaf screen takes to show another leaf, another class, another opacity.

In Chromium, from the click to the frame in which pictures, maps and bars of the new leaf are painted. The viewer draws
all of them at once and then names the pair on its root; the headline is drawn by Streamlit and waited for too.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from playwright.sync_api import ElementHandle, Page, sync_playwright

from tests.browser.app import BUSY, FLAGS, NO_CHROMIUM, ROOT, chromium_path, served_app, show

LIMITS = {"another leaf": 300, "another class": 150, "another opacity": 150}
"""Milliseconds at the 95th percentile."""
_AFTER = """async ([viewer, act, done]) => {
  const before = viewer.dataset.pair + viewer.dataset.shown
  const painted = () => new Promise(resolve => {  // a task that waits behind the frame that is being made
    const channel = new MessageChannel()
    channel.port1.onmessage = resolve
    channel.port2.postMessage(null)
  })
  const start = performance.now()
  await eval(act)(viewer)
  do {
    if (performance.now() - start > 20000) throw new Error("Nothing was drawn within 20 s")
    await new Promise(resolve => requestAnimationFrame(resolve))
  } while (viewer.dataset.pair + viewer.dataset.shown === before || !eval(done)(viewer))
  await painted()
  return performance.now() - start
}"""
_NEXT = "viewer => document.querySelector('.st-key-leaf_next button').click()"
_HEADLINE = "viewer => document.querySelector('h4')?.textContent.includes(viewer.dataset.pair)"
_CLASS = """viewer => {
  const radios = [...viewer.querySelectorAll('.segments')][0].querySelectorAll('input')
  const now = [...radios].findIndex(radio => radio.checked)
  radios[(now + 1) % radios.length].click()
}"""
_OPACITY = """viewer => {
  const range = viewer.querySelector('input[type=range]')
  range.value = String(range.value > 0.5 ? 0.3 : 0.8)
  range.dispatchEvent(new Event('input'))
}"""


def measured(page: Page, viewer: ElementHandle, act: str, times: int, done: str = "viewer => true") -> list[float]:
    """Milliseconds of each of several times; the next one begins when the script of the former has ended."""
    found = []
    for _ in range(times):
        found.append(float(page.evaluate(_AFTER, [viewer, act, done])))
        page.wait_for_timeout(30)
        page.wait_for_function(f"() => !document.querySelector({BUSY!r})")
    return found


def server_memory(port: str) -> float:
    """Resident megabytes of the process that listens there."""
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        words = status.read_bytes().split(b"\0") if status.exists() else []
        if b"streamlit" in words and port.encode() in words:
            lines = (status.parent / "status").read_text().splitlines()
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=ROOT / "assets" / "demo")
    parser.add_argument("--leaves", type=int, default=200)
    given = parser.parse_args()
    chromium = chromium_path()
    if chromium is None:
        raise SystemExit(NO_CHROMIUM)
    with served_app(given.run) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        show(page, f"{url}/leaf")
        viewer = page.locator(".viewer[data-pair]").element_handle()
        found = {
            "another leaf": measured(page, viewer, _NEXT, given.leaves, _HEADLINE),
            "another class": measured(page, viewer, _CLASS, 40),
            "another opacity": measured(page, viewer, _OPACITY, 40),
        }
        memory = server_memory(url.rpartition(":")[2])
        browser.close()
    load = os.getloadavg()[0]
    print(f"{given.run}, {os.cpu_count()} cores (load average {load:.1f}); ms from the click to the painted frame")
    print(f"{'':18}{'n':>5}{'median':>8}{'p95':>8}{'max':>8}{'limit (p95)':>13}")
    for name, values in found.items():
        median, high, most = np.percentile(values, [50, 95, 100])
        print(f"{name:18}{len(values):5}{median:8.0f}{high:8.0f}{most:8.0f}{LIMITS[name]:13}")
    print(f"server memory: {memory:.0f} MB")


if __name__ == "__main__":
    main()
