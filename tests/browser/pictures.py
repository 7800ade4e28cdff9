"""Take the README's pictures of a run: ``python -m tests.browser.pictures [RUN [FOLDER]]`` (``make pictures``)."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from rice_ssl.artifacts import RunStore
from rice_ssl.evidence.choose import most_divergent_pairs
from rice_ssl.evidence.leaf import MOST_LEAVES
from tests.browser.app import FLAGS, NO_CHROMIUM, ROOT, chromium_path, served_app, show

SHOTS = {  # file -> address, light or dark, and the height in pixels that shows what matters
    "overview": ("", "light", 1480),
    "leaf": ("leaf?pair={pair}", "light", 1150),
    "attribution": ("attribution", "dark", 1180),
    "attribution-lesions": ("attribution?attribution_part=Simulated+lesions", "light", 1330),
    "sensors": ("sensors", "dark", 1700),
    "sensors-trained": ("sensors?part=Trained+sensor+by+sensor", "light", 1560),
    "sensors-bands": ("sensors?part=Bands", "dark", 1180),
    "map": ("map?space=Logits&method=t-SNE", "light", 960),
    "map-images": ("map?space=Logits&method=t-SNE&images=true", "dark", 1060),
    "prototypes": ("prototypes", "light", 1500),
    "flow": ("prototypes?prototypes_part=Flow+between+sensors", "dark", 1250),
    "similar": ("similar?pair={pair}&similar_count=6", "light", 1300),
    "training": ("training?log=example", "light", 1250),
    "ablation": ("ablation", "light", 1560),
}


def most_divergent(run: Path) -> str:
    """Of the pairs whose maps were measured, the one on which the sensors differ most."""
    store = RunStore(run)
    measured = set(store.read_table("trust", ["pair_id"])["pair_id"])
    return next(pair for pair in most_divergent_pairs(store, MOST_LEAVES) if pair in measured)


def take(run: Path, folder: Path) -> None:
    chromium = chromium_path()
    if chromium is None:
        sys.exit(NO_CHROMIUM)
    folder.mkdir(parents=True, exist_ok=True)
    pair = most_divergent(run)
    with served_app(run) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name, (address, scheme, height) in SHOTS.items():
            page = browser.new_context(viewport={"width": 1360, "height": height}, color_scheme=scheme).new_page()
            show(page, f"{url}/{address.format(pair=pair)}")
            page.wait_for_timeout(1500)
            page.screenshot(path=folder / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    take(*(given + [ROOT / "assets" / "demo", ROOT / "assets" / "pictures"][len(given) :]))
