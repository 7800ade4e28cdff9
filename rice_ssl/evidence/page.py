"""Evidence as one HTML page: no scripts, nothing loaded, readable in light and dark, on paper and on a telephone."""

from __future__ import annotations

from xml.etree import ElementTree as Tree

from rice_ssl.card.blocks import Bullets, Paragraph, grid
from rice_ssl.card.html import append, begin_page, page_text, plain, write
from rice_ssl.card.words import NOTHING, code
from rice_ssl.evidence.leaf import Evidence, RunFacts
from rice_ssl.evidence.leaf_section import write_leaf
from rice_ssl.evidence.words import AS_IMPORTED, JUDGED_BY, about_images

_STYLE = """
:root { --bar: #cfe3d8; --warn: #fdf0d5; --warn-line: #b7791f; }
@media (prefers-color-scheme: dark) { :root { --bar: #2d4a3c; --warn: #3a2e14; --warn-line: #d6a243; } }
h3 { margin: 1.5rem 0 .5rem; font-size: 1rem; }
.notice { background: var(--warn); border-left: 4px solid var(--warn-line); padding: .75rem 1rem; }
.images { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; }
.image h3 { margin-top: 0; }
.image { flex: 1 1 20rem; min-width: 0; max-width: 30rem; }
.pictures { display: flex; gap: .5rem; }
figure { margin: 0; flex: 1 1 0; min-width: 0; }
figure img { width: 100%; height: auto; display: block; border-radius: 3px; }
figcaption, .scale { color: var(--soft); font-size: .85rem; line-height: 1.4; padding-top: .25rem; }
.scale { display: flex; gap: .6rem; align-items: center; flex-wrap: wrap; }
.scale img { width: 10rem; height: .6rem; border-radius: 2px; }
.shares td { min-width: 5.5rem; padding-left: .4rem; border-right: .5rem solid var(--back);
  background-clip: padding-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
table { font-size: .9rem; }
td code, th code { overflow-wrap: anywhere; }
@media print { .leaf { break-before: page; } .images, .pictures, tr { break-inside: avoid; }
  .table { overflow: visible; } body { font-size: 11px; } }
"""
_READING = (
    "A map shows where the network found evidence for the class that it predicted from that image. It shows where the "
    "network looks, which need not be where the disease is. All sensors of a leaf are drawn on one scale, so a faint "
    "map means little evidence; a map that does no better than random ones is drawn in grey.",
    "Whether a map is to be believed was measured by taking away, and by showing, the strongest places first, and "
    "following the probability of the class: a low deletion and a high insertion are good. Score: insertion less "
    "deletion. Random: the mean score of random maps, and p that one of them does as well. Centre: the score of a blot "
    "in the picture's centre. ROAD: drop of the probability with the strongest places removed first, less that with "
    "the weakest removed first.",
    "Overlap of two sensors' maps: sum of the lesser over sum of the greater of their shares, 0 to 1; beside it, that "
    "of different leaves' maps. Divergence: Jensen-Shannon, 0 bits where the sensors give the same probabilities, "
    "1 bit where each is certain of another class. Cosines are those of embeddings in their own space.",
    "Pictures are the run's reduced ones. The SHA-256 beside each is that of the image file, noted at import.",
)


def to_page(evidence: Evidence) -> bytes:
    """The page, UTF-8. Text out of files is escaped by the standard library that writes the tree."""
    run = evidence.run
    page, main = begin_page(f"Evidence of the run {code(run.name)}", _STYLE)
    about = about_images(simulated=run.simulated, weights_simulated=run.weights_simulated)
    if about != AS_IMPORTED:
        _notice(main, about)
    count = len(evidence.leaves)
    append(
        main,
        Paragraph(
            f"{count:,} {'leaf' if count == 1 else 'leaves'} of the run {code(run.name)}, put together "
            f"{run.made} by rice_ssl {run.version}. Predictions: {JUDGED_BY[run.judged_by]}."
            f"{f' {about}' if about == AS_IMPORTED else ''}"
        ),
    )
    if count > 1:
        contents = Tree.SubElement(Tree.SubElement(main, "nav", {"aria-label": "Leaves"}), "ul")
        for number, leaf in enumerate(evidence.leaves, start=1):
            link = Tree.SubElement(Tree.SubElement(contents, "li"), "a", href=f"#leaf-{number}")
            link.text = plain(leaf.pair_id.replace("`", "'"))
    for number, leaf in enumerate(evidence.leaves, start=1):
        section = Tree.SubElement(main, "section", {"id": f"leaf-{number}", "class": "leaf"})
        write_leaf(section, leaf, evidence)
    _origin(main, run)
    _reading(main)
    return page_text(page).encode("utf-8", "replace")


def error_page(sentence: str) -> bytes:
    """A page that says why there is no evidence."""
    page, main = begin_page("No evidence")
    append(main, Paragraph(sentence))
    return page_text(page).encode("utf-8", "replace")


def _notice(main: Tree.Element, text: str) -> None:
    strong = Tree.SubElement(Tree.SubElement(main, "p", {"class": "notice", "role": "note"}), "strong")
    write(strong, text)


def _origin(main: Tree.Element, run: RunFacts) -> None:
    section = Tree.SubElement(main, "section", id="origin")
    write(Tree.SubElement(section, "h2"), "Where it comes from")
    rows = [
        ["Run", code(run.name)],
        ["Begun", run.created or NOTHING],
        ["Images", "simulated" if run.simulated else "as imported"],
        ["Put together", run.made],
        ["Package", f"rice_ssl {run.version}"],
        ["Classes", ", ".join(run.classes) or NOTHING],
        ["Predictions", JUDGED_BY[run.judged_by]],
        ["Weights", "of this run" if run.weights_of is None else f"of the run {code(run.weights_of)}"],
    ]
    append(section, grid("The run", ("What", "Value"), rows))
    hashes = [[code(one.file), code(one.sha256), one.state] for one in run.weights]
    hashes.append([code("manifest.parquet"), code(run.manifest), "of the file as it is"])
    append(section, grid("SHA-256 of weights and data", ("File", "SHA-256", "Now"), hashes))
    if run.missing:
        append(section, Paragraph("What is not here, and why:"))
        append(section, Bullets(run.missing))


def _reading(main: Tree.Element) -> None:
    section = Tree.SubElement(main, "section", id="reading")
    write(Tree.SubElement(section, "h2"), "How to read it")
    for text in _READING:
        append(section, Paragraph(text))
