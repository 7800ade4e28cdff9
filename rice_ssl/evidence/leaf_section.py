"""One leaf in the page of evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as Tree

from rice_ssl.card.blocks import Paragraph, grid
from rice_ssl.card.html import append, plain, write
from rice_ssl.card.words import NOTHING, code
from rice_ssl.evidence import pictures
from rice_ssl.evidence.leaf import Evidence, ImageEvidence, LeafEvidence, MapKind
from rice_ssl.evidence.words import LIKE_RANDOM, SPLITS

_TRUST = ("Map", "Sensor", "Whether to believe it", "Deletion", "Insertion", "Score", "Random", "p", "Centre", "ROAD")
_AGREEMENT = ("Map", "Class", "Overlap", "Other leaves", "p", "Rank correlation", "Other leaves", "Distance of centres",
              "Other leaves", "Laid on each other")  # fmt: skip


def write_leaf(section: Tree.Element, leaf: LeafEvidence, evidence: Evidence) -> None:
    """Write a leaf into an element."""
    write(Tree.SubElement(section, "h2"), f"Leaf {code(leaf.pair_id)}")
    append(section, Paragraph(_headline(leaf)))
    around = Tree.SubElement(section, "div", {"class": "images"})
    for image in leaf.images:
        _image(around, image, leaf, evidence.drawn)
    if evidence.drawn is not None and leaf.scale > 0:
        _scale(section, leaf.scale)
    _probabilities(section, leaf, evidence.run.classes)
    _trust(section, leaf, evidence.kinds)
    _agreement(section, leaf, evidence.kinds)
    bands = [
        [image.title, ", ".join(f"{band} {100 * share:.0f}%" for band, share in image.bands.items())]
        for image in leaf.images
        if image.bands
    ]
    if bands:
        append(section, grid("Share of the evidence in each band, by Integrated Gradients", ("Sensor", "Bands"), bands))
    _nearest(section, leaf)
    files = [
        [image.title, code(image.file), f"{image.width} x {image.height}", code(image.sha256)] for image in leaf.images
    ]
    append(section, grid("Image files", ("Sensor", "File", "Pixels", "SHA-256"), files))


def _headline(leaf: LeafEvidence) -> str:
    """Label, split, and whether the sensors agree."""
    told = [f"Label: {leaf.label}" if leaf.label else "No label", f"{SPLITS.get(leaf.split, leaf.split)} pair"]
    said = f"{', '.join(told)}."
    judged = [image for image in leaf.images if image.prediction is not None]
    if not judged:
        return f"{said} Nothing was predicted of it."
    if len(judged) == 1:
        return f"{said} Only the {judged[0].title} image was judged; it is predicted {judged[0].prediction}."
    first, second = judged[:2]
    if leaf.agree or first.prediction == second.prediction:
        said += f" The sensors agree on {first.prediction}"
    else:
        said += f" The sensors disagree: {first.title} says {first.prediction}, {second.title} says {second.prediction}"
    said += "." if leaf.divergence is None else f" (divergence {leaf.divergence:.2f} bits)."
    return said if leaf.prediction is None else f"{said} Together they are predicted {leaf.prediction}."


def _image(around: Tree.Element, image: ImageEvidence, leaf: LeafEvidence, drawn: MapKind | None) -> None:
    """Picture and map of one sensor, side by side."""
    part = Tree.SubElement(around, "div", {"class": "image"})
    write(Tree.SubElement(part, "h3"), image.title)
    if image.jpeg is None:
        append(part, Paragraph("The run keeps no picture of it that can be read."))
        return
    beside = Tree.SubElement(part, "div", {"class": "pictures"})
    alt = f"{image.title} image of {leaf.pair_id}"
    _figure(beside, pictures.data_url(image.jpeg, "image/jpeg"), alt, "The picture")
    if drawn is None or image.cam is None:
        append(part, Paragraph("There is no map of it."))
        return
    said = image.verdict(drawn)
    laid = pictures.map_picture(image, leaf.scale, grey=said == LIKE_RANDOM)
    if laid is not None:
        caption = f"{drawn.text}, for {image.prediction}. Trust: {said}. Strongest: {float(image.cam.max()):.3g} logits"
        _figure(beside, pictures.jpeg_url(laid), f"Map over the {alt}", caption)


def _figure(parent: Tree.Element, url: str, alt: str, caption: str) -> None:
    figure = Tree.SubElement(parent, "figure")
    Tree.SubElement(figure, "img", src=url, alt=plain(alt))
    write(Tree.SubElement(figure, "figcaption"), caption)


def _scale(section: Tree.Element, scale: float) -> None:
    part = Tree.SubElement(section, "div", {"class": "scale"})
    Tree.SubElement(part, "span").text = "0"
    url = pictures.data_url(pictures.png(pictures.bar()), "image/png")
    Tree.SubElement(part, "img", src=url, alt="Colours from no evidence to the strongest")
    Tree.SubElement(part, "span").text = f"{scale:.3g} logits, the same for all sensors of this leaf"


def _probabilities(section: Tree.Element, leaf: LeafEvidence, classes: tuple[str, ...]) -> None:
    columns = [(image.title, image.probabilities) for image in leaf.images if image.probabilities]
    if leaf.probabilities:
        columns.append(("Joint", leaf.probabilities))
    if not columns:
        return
    rows = [[name, *(f"{values[k]:.3f}" for _, values in columns)] for k, name in enumerate(classes)]
    append(section, grid("Probabilities", ("Class", *(title for title, _ in columns)), rows))
    table = section[-1]
    table.set("class", "table shares")
    shares = [values[k] for k in range(len(classes)) for _, values in columns]
    for cell, share in zip(table.iter("td"), shares, strict=True):
        width = 100 * min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
        cell.set("style", f"background: linear-gradient(to right, var(--bar) {width:.1f}%, transparent 0)")


def _trust(section: Tree.Element, leaf: LeafEvidence, kinds: tuple[MapKind, ...]) -> None:
    rows = [
        [
            kind.text,
            image.title,
            image.verdict(kind),
            *(
                number(image.trust_of(kind), name, form)
                for name, form in (
                    ("deletion", ".2f"), ("insertion", ".2f"), ("score", "+.2f"), ("random_score", "+.2f"),
                    ("p_random", ".2f"), ("gaussian_score", "+.2f"), ("road", "+.2f"),
                )
            ),
        ]
        for kind in kinds
        for image in leaf.images
        if image.trust_of(kind) is not None
    ]  # fmt: skip
    if rows:
        append(section, grid("Trust in the maps of the predicted class", _TRUST, rows))
    else:
        append(section, Paragraph("Trust in this leaf's maps: not measured."))


def _agreement(section: Tree.Element, leaf: LeafEvidence, kinds: tuple[MapKind, ...]) -> None:
    rows = []
    for kind in kinds:
        row = leaf.agreement.get(kind.name)
        if row is not None:
            figures = [
                number(row, name, form)
                for name, form in (
                    ("overlap", ".2f"), ("null_overlap", ".2f"), ("p_overlap", ".2f"),
                    ("rank_correlation", "+.2f"), ("null_rank_correlation", "+.2f"),
                    ("centre_distance", ".2f"), ("null_centre_distance", ".2f"),
                )
            ]  # fmt: skip
            rows.append([kind.text, str(row["class_name"]), *figures, "yes" if row["registered"] else "no"])
    if rows:
        append(section, grid("How far the sensors' maps of the pair's predicted class agree", _AGREEMENT, rows))
    elif len(leaf.images) > 1:
        append(section, Paragraph("How far the two sensors' maps agree: not measured."))


def _nearest(section: Tree.Element, leaf: LeafEvidence) -> None:
    rows = []
    for image in leaf.images:
        near = [f"{code(other)} ({label or 'no label'}) {cosine:.3f}" for other, label, cosine in image.nearest]
        if near:
            rows.append([image.title, ", ".join(near)])
    if leaf.cosine is not None:
        rows.append(["This leaf's two images", f"{leaf.cosine:.3f}"])
    if rows:
        append(section, grid("Nearest leaves by the cosine of embeddings", ("Sensor", "Leaves and cosines"), rows))


def number(row: Mapping[str, Any] | None, name: str, form: str) -> str:
    """A figure of a row; a dash where it was not measured."""
    value = None if row is None else row.get(name)
    return format(value, form) if isinstance(value, (int, float)) and math.isfinite(value) else NOTHING
