"""A map of logits with the images themselves as points, beside the confusion matrix that it stands for.

``python -m tests.browser.logits_pictures RUN SPLIT PICTURE``: t-SNE as the Map screen draws it, wrong ones framed
red; both are of the labelled images of that split, each judged alone.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from dashboard.charts.sensors import counts_matrix
from dashboard.components.words import SPLITS
from rice_ssl.artifacts import RunStore
from rice_ssl.evaluation.metrics import confusion
from tests.browser.app import FLAGS, NO_CHROMIUM, chromium_path, served_app, show

WIDTH, HEIGHT = 1500, 1100


def matrix(run: Path, split: str) -> list[list[int]]:
    """Images of a split by label (row) and prediction (column), of every sensor."""
    store = RunStore(run)
    info, table = store.info(), store.read_table("predictions", ["sensor", "prediction", "label", "split"])
    classes = list(info["classes"])
    number = {name: k for k, name in enumerate(classes)}
    own = table[(table["split"] == split) & (table["sensor"] != "both") & table["label"].isin(classes)]
    labels, predictions = (own[name].map(number).to_numpy(dtype=int) for name in ("label", "prediction"))
    return confusion(labels, predictions, len(classes)).tolist()


def take(run: Path, split: str, picture: Path) -> None:
    chromium = chromium_path()
    if chromium is None:
        sys.exit(NO_CHROMIUM)
    counts, classes = matrix(run, split), list(RunStore(run).info()["classes"])
    wrong = sum(map(sum, counts)) - sum(counts[k][k] for k in range(len(classes)))
    with served_app(run) as url, sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light").new_page()
        show(page, f"{url}/map?space=Logits&method=t-SNE&images=true&map_splits={SPLITS[split]}")
        page.wait_for_timeout(2500)
        shots = [page.locator(".map-view").first.screenshot()]
        figure = counts_matrix(counts, classes, "Label", "Prediction")
        figure.update_layout(title=f"{sum(map(sum, counts)):,} images, {wrong:,} of them wrong", width=420, height=400)
        figure.update_layout(margin={"t": 60, "l": 90, "b": 60, "r": 20}, paper_bgcolor="#FCFDFB")
        file = Path(folder) / "matrix.html"
        figure.write_html(file, include_plotlyjs=True, config={"displayModeBar": False})
        page.goto(file.as_uri())
        page.locator(".js-plotly-plot").wait_for()
        page.wait_for_timeout(500)
        shots.append(page.locator(".js-plotly-plot").screenshot())
        browser.close()
    left, right = (Image.open(io.BytesIO(shot)).convert("RGB") for shot in shots)
    whole = Image.new("RGB", (left.width + right.width + 20, max(left.height, right.height)), "#FCFDFB")
    whole.paste(left, (0, 0))
    whole.paste(right, (left.width + 20, (whole.height - right.height) // 2))
    picture.parent.mkdir(parents=True, exist_ok=True)
    whole.save(picture)


if __name__ == "__main__":
    take(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
