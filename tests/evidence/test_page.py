"""The page of evidence: its words and figures are the run's, and nothing in it is anybody's markup."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from rice_ssl.evidence.page import error_page, to_page
from rice_ssl.evidence.read import read_leaves
from tests.evidence.hostile import FORMULA, LABEL, PAIR, SCRIPT, write_hostile_run
from tests.fake_attribution import write_attribution
from tests.fakes import write_fake_run

TAGS = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "strong", "code", "nav", "ul",
        "li", "a", "section", "div", "span", "figure", "img", "figcaption", "table", "caption", "thead", "tbody", "tr",
        "th", "td"}  # fmt: skip


class Page(HTMLParser):
    """Tags, attributes, text, and the cells of tables by caption."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.attributes, self.pictures, self.tables = set(), [], [], []
        self.text, self.caption, self.hidden = "", None, False
        self.feed(content.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        self.hidden = tag == "style"
        if tag == "img":
            self.pictures.append(dict(attrs)["src"])
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        self.cell = tag in ("td", "th") or (tag == "code" and getattr(self, "cell", False))

    def handle_endtag(self, tag):
        self.hidden = False
        if tag in ("td", "th"):
            self.cell = False

    def handle_data(self, data):
        if not self.hidden:
            self.text += data
        if getattr(self, "cell", False):
            self.tables[-1][-1][-1] += data

    def table(self, *header):
        """Rows of the tables that begin with this header, all together."""
        return [row for table in self.tables if tuple(table[0][: len(header)]) == header for row in table[1:]]


@pytest.fixture
def store(tmp_path):
    found = write_fake_run(tmp_path / "run")
    write_attribution(found)
    return found


def page_of(store, *ids):
    evidence = read_leaves(store, ids)
    return Page(to_page(evidence)), evidence


def test_the_figures_are_the_runs(store):
    page, evidence = page_of(store, "id_0003")
    rgb, rgnir = evidence.leaves[0].images
    joint = evidence.leaves[0].probabilities
    assert page.table("Class", "RGB", "RGNIR", "Joint") == [
        [name, f"{rgb.probabilities[k]:.3f}", f"{rgnir.probabilities[k]:.3f}", f"{joint[k]:.3f}"]
        for k, name in enumerate(evidence.run.classes)
    ]
    trust = page.table("Map", "Sensor")
    assert trust[0] == ["Grad-CAM, layer4", "RGB", "no better than random", "0.40", "0.40", "+0.00", "+0.00", "0.50",
                        "+0.25", "+0.00"]  # fmt: skip
    assert trust[1] == ["Grad-CAM, layer4", "RGNIR", "better than random maps", "0.20", "0.60", "+0.40", "+0.00",
                        "0.05", "+0.25", "+0.20"]  # fmt: skip
    assert len(trust) == 10
    agreement = page.table("Map", "Class")
    assert agreement[0][0] == "Grad-CAM, layer4"
    assert agreement[0][2:] == ["0.50", "0.30", "0.05", "+0.40", "+0.00", "0.10", "0.20", "yes"]
    assert page.table("Sensor", "Bands") == [
        ["RGB", "red 20%, green 30%, blue 50%"],
        ["RGNIR", "red 20%, green 30%, near infrared 50%"],
    ]
    near = page.table("Sensor", "Leaves and cosines")
    assert near[0][1] == ", ".join(f"{other} ({label}) {cosine:.3f}" for other, label, cosine in rgb.nearest)
    assert near[2] == ["This leaf's two images", f"{evidence.leaves[0].cosine:.3f}"]
    assert page.table("Sensor", "File") == [
        ["RGB", "Images/id_0003.jpg", "500 x 400", f"{6:064x}"],
        ["RGNIR", "Images/id_0003_rgn.jpg", "500 x 400", f"{7:064x}"],
    ]


def test_bars_are_as_long_as_probabilities(store):
    page, evidence = page_of(store, "id_0003")
    widths = [float(found[0]) for name, value in page.attributes if name == "style"
              for found in [re.findall(r"([\d.]+)%", value)]]  # fmt: skip
    (leaf,) = evidence.leaves
    judges = [*(image.probabilities for image in leaf.images), leaf.probabilities]
    assert widths == pytest.approx([100 * judge[k] for k in range(3) for judge in judges], abs=0.06)


def test_the_headline_says_what_matters(store):
    page, evidence = page_of(store, "id_0000", "id_0003")
    divergence = evidence.leaves[0].divergence
    assert (
        "Label: blast, training pair. The sensors disagree: RGB says blast, RGNIR says brown (divergence "
        f"{divergence:.2f} bits). Together they are predicted" in page.text
    )
    assert "The sensors agree on blast (divergence" in page.text
    assert page.text.count("Trust in this leaf's maps: not measured.") == 1
    assert "Trust: no better than random. Strongest:" in page.text


def test_simulated_is_said_first_also_of_weights(store):
    text = page_of(store, "id_0003")[0].text
    assert text.index("simulated, not photographed") < text.index("Leaf id_0003")
    store.update_info(simulated=False)
    text = page_of(store, "id_0003")[0].text
    assert "nothing here is about real plants" not in text
    assert "The images are as imported, not simulated." in text
    store.update_info(weights_simulated=True)
    text = page_of(store, "id_0003")[0].text
    assert text.index("The weights were trained on simulated leaves") < text.index("Leaf id_0003")


def test_hashes_and_origin(store):
    page, evidence = page_of(store, "id_0003")
    facts = dict(page.table("What", "Value"))
    assert (facts["Run"], facts["Images"]) == ("fake", "simulated")
    assert (facts["Package"], facts["Put together"]) == ("rice_ssl 0.1.0", evidence.run.made)
    assert page.table("File", "SHA-256") == [["manifest.parquet", evidence.run.manifest, "of the file as it is"]]
    assert "notes no weights: no hash is known" in page.text


def test_pictures_are_those_of_the_run_and_grey_where_no_better_than_random(store):
    page, evidence = page_of(store, "id_0003")
    decoded = []
    for url in page.pictures:
        head, _, content = url.partition(",")
        assert head in ("data:image/jpeg;base64", "data:image/png;base64")
        decoded.append(base64.b64decode(content, validate=True))
    rgb, rgnir = evidence.leaves[0].images
    assert (decoded[0], decoded[2]) == (rgb.jpeg, rgnir.jpeg)
    grey, coloured = (np.asarray(Image.open(io.BytesIO(decoded[k])).convert("RGB"), dtype=int) for k in (1, 3))
    assert np.ptp(grey, axis=-1).max() <= 2
    assert np.ptp(coloured, axis=-1).max() > 100
    assert len(decoded) == 5  # and the bar of colours


def test_without_anything_but_the_manifest(tmp_path):
    store = write_fake_run(tmp_path / "run")
    store.remove("predictions.parquet", "embeddings.parquet", "thumbnails/images.parquet", "cams/index.parquet")
    page, _ = page_of(store, "id_0003")
    assert "Nothing was predicted of it." in page.text
    assert page.text.count("The run keeps no picture of it that can be read.") == 2
    assert page.pictures == []
    for file in ("predictions.parquet", "embeddings.parquet", "thumbnails/images.parquet", "cams/index.parquet"):
        assert f"no {file}" in page.text


def test_names_that_are_markup_stay_text(tmp_path):
    store = write_hostile_run(tmp_path / "run")
    page, _ = page_of(store, PAIR, FORMULA)
    assert page.tags <= TAGS
    assert {name for name, _ in page.attributes} <= {
        "lang", "charset", "http-equiv", "content", "name", "class", "role", "aria-label", "href", "id", "src", "alt",
        "style", "tabindex", "scope",
    }  # fmt: skip
    links = [value for name, value in page.attributes if name in ("href", "src")]
    assert all(link.startswith(("#leaf-", "data:image/")) for link in links)
    for text in (SCRIPT, PAIR, LABEL, FORMULA):
        assert text in page.text
    assert "\x00" not in page.text


def test_text_that_is_no_unicode_does_not_stop_it(store):
    store.update_info(name="half \ud800 pair")
    assert "half ? pair" in page_of(store, "id_0003")[0].text


def test_an_error_is_escaped_too():
    page = Page(error_page(f"The run knows no pair {SCRIPT}."))
    assert page.tags <= TAGS
    assert f"The run knows no pair {SCRIPT}." in page.text
