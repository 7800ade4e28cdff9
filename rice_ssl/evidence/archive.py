"""Evidence as a ZIP of pictures and a table."""

from __future__ import annotations

import io
import re
import zipfile

from rice_ssl.evidence import pictures
from rice_ssl.evidence.figures_table import columns, to_csv
from rice_ssl.evidence.leaf import Evidence
from rice_ssl.evidence.words import LIKE_RANDOM, about_images

TABLE, README, BAR = "evidence.csv", "README.txt", "colour-bar.png"
_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")
_LONGEST = 40
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of all files, so that the same evidence gives the same bytes."""


def to_zip(evidence: Evidence) -> bytes:
    """The archive: ``README.txt``, ``evidence.csv``, and PNGs of each image and of the map over it."""
    stream = io.BytesIO()
    files: dict[tuple[str, str], tuple[str, str]] = {}
    with zipfile.ZipFile(stream, "w") as archive:
        for number, leaf in enumerate(evidence.leaves, start=1):
            for image in leaf.images:
                stem = f"{number:03d}-{_safe(leaf.pair_id)}-{_safe(image.sensor)}"
                said = None if evidence.drawn is None else image.verdict(evidence.drawn)
                names = []
                for kind, pixels in (
                    ("picture", pictures.picture(image)),
                    ("map", pictures.map_picture(image, leaf.scale, grey=said == LIKE_RANDOM)),
                ):
                    name = "" if pixels is None else f"{stem}-{kind}.png"
                    if pixels is not None:
                        _add(archive, name, pictures.png(pixels))
                    names.append(name)
                files[leaf.pair_id, image.sensor] = (names[0], names[1])
        if any(of_map for _, of_map in files.values()):
            _add(archive, BAR, pictures.png(pictures.bar()))
        _add(archive, TABLE, to_csv(evidence, files))
        _add(archive, README, _readme(evidence).encode("utf-8", "replace"))
    return stream.getvalue()


def error_zip(sentence: str) -> bytes:
    """An archive that says why there is no evidence."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        _add(archive, README, f"{sentence}\n".encode("utf-8", "replace"))
    return stream.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    kind = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
    archive.writestr(zipfile.ZipInfo(name, _DATE), content, kind)


def _safe(text: str) -> str:
    """A name as a part of a file's name; its number, not this, tells files apart."""
    return _UNSAFE.sub("_", text)[:_LONGEST].strip("_") or "leaf"


def _readme(evidence: Evidence) -> str:
    run = evidence.run
    lines = [
        f"Evidence of the run {_line(run.name)}, put together {run.made} by rice_ssl {run.version}.",
        about_images(simulated=run.simulated, weights_simulated=run.weights_simulated),
        "",
        f"{TABLE}: a row for each image, UTF-8. An empty cell was not measured, or is not known.",
        "A text that begins with = + - or @ has an apostrophe in front of it, so that no spreadsheet calculates it.",
        "*-picture.png: the run's reduced picture of an image.",
        "*-map.png: the same with the map of the predicted class over it. All sensors of a leaf are drawn on one",
        "scale (map_scale); a map that does no better than random ones is grey.",
        f"{BAR}: colours of maps, from no evidence (left) to map_scale (right).",
        "",
        *(f"What is not here: {_line(sentence)}" for sentence in run.missing),
        *(f"{_line(one.file)}, SHA-256 {_line(one.sha256)}: {one.state}" for one in run.weights),
        f"manifest.parquet, SHA-256 {run.manifest}",
        "",
        f"Columns of {TABLE}",
        *(f"{_line(name)}: {_line(what)}" for name, what in columns(evidence).items()),
    ]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())
