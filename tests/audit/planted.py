"""A simulated data set with faults put in on purpose, and a list of what was put in."""

from __future__ import annotations

import csv
import io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

CLASSES = ("blast", "brown", "healthy")
SUFFIXES = ("", "_rgn")


@dataclass(frozen=True)
class Planted:
    """What was put in.

    Attributes:
        pairs: number of pairs before.
        duplicates: new id -> the pair it copies.
        swapped: pairs whose second images were exchanged, both ways.
        flipped: pair -> its right label.
    """

    pairs: int
    duplicates: dict[str, str]
    swapped: dict[str, str]
    flipped: dict[str, str]


def plant(source: Path, target: Path, *, seed: int = 0, share: float = 0.05) -> Planted:
    """Copy a simulated data set and plant duplicates, swapped pairs and flipped labels in its training pairs.

    Of the training pairs, ``share`` each is copied under a new id (compressed anew, brighter or darker, a few percent
    of its border cut off), gets another pair's second image, or a wrong label; no pair suffers two of these.
    """
    rng = np.random.default_rng(seed)
    target.mkdir(parents=True)
    shutil.copytree(source / "Images", target / "Images", copy_function=os.link)
    for name in ("Test.csv", "SampleSubmission.csv", "SIMULATED.json"):
        shutil.copy(source / name, target / name)
    with (source / "Train.csv").open(newline="") as stream:
        labels = {
            row["Image_id"].removesuffix(".jpg").removesuffix("_rgn"): row["Label"] for row in csv.DictReader(stream)
        }
    with (source / "Test.csv").open(newline="") as stream:
        tested = len({row["Image_id"].removesuffix(".jpg").removesuffix("_rgn") for row in csv.DictReader(stream)})
    ids = [str(name) for name in rng.permutation(sorted(labels))]
    each = max(2, round(share * len(ids)) // 2 * 2)
    copied, swapped, flipped = ids[:each], ids[each : 2 * each], ids[2 * each : 3 * each]
    pairs = len(labels) + tested
    duplicates = {}
    for number, name in enumerate(copied):
        new = f"id_copy{number:06d}"
        duplicates[new] = name
        for suffix in SUFFIXES:
            picture = (source / "Images" / f"{name}{suffix}.jpg").read_bytes()
            (target / "Images" / f"{new}{suffix}.jpg").write_bytes(changed(picture, rng))
        labels[new] = labels[name]
    exchanged = dict(zip(swapped[::2], swapped[1::2], strict=True))
    for one, other in exchanged.items():
        a, b = (target / "Images" / f"{name}_rgn.jpg" for name in (one, other))
        a.rename(target / "between")
        b.rename(a)
        (target / "between").rename(b)
    right = {name: labels[name] for name in flipped}
    for name in flipped:
        labels[name] = str(rng.choice([label for label in CLASSES if label != labels[name]]))
    with (target / "Train.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("Image_id", "Label"))
        writer.writerows((f"{name}{suffix}.jpg", labels[name]) for name in sorted(labels) for suffix in SUFFIXES)
    return Planted(pairs, duplicates, exchanged | {b: a for a, b in exchanged.items()}, right)


def changed(content: bytes, rng: np.random.Generator) -> bytes:
    """The same picture: 0 to 4 percent cut off each side, brightness times 0.8 to 1.25, JPEG quality 60 to 90."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    left, top, right, bottom = rng.uniform(0, 0.04, 4)
    width, height = image.size
    image = image.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )
    image = ImageEnhance.Brightness(image).enhance(float(np.exp(rng.uniform(np.log(0.8), np.log(1.25)))))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(rng.integers(60, 91)))
    return stream.getvalue()
