"""All figures and hashes of evidence in a table, a row for each image, and what its columns are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rice_ssl.evidence.leaf import Evidence, ImageEvidence, LeafEvidence
from rice_ssl.evidence.tables import NEAREST

_TRUST = {
    "deletion": "area under the class' probability while the strongest places are blurred first, 0 to 1; low is good",
    "insertion": "the same while the strongest places are shown first, 0 to 1; high is good",
    "score": "insertion less deletion",
    "random_score": "mean score of random maps",
    "gaussian_score": "score of a blot in the picture's centre",
    "p_random": "(1 + random maps that do as well) / (1 + random maps)",
    "road": "drop of the probability, strongest places removed first, less that with the weakest first",
}
_AGREEMENT = {
    "class_name": "class predicted for the pair, of which the two maps are compared",
    "registered": "whether the pictures were laid on each other first",
    "overlap": "of the two sensors' maps, 0 to 1",
    "null_overlap": "of different leaves' maps",
    "p_overlap": "p that different leaves' maps overlap as much",
    "rank_correlation": "of the maps' cells, -1 to 1",
    "null_rank_correlation": "of different leaves' maps",
    "centre_distance": "of the maps' centres, as a share of the diagonal",
    "null_centre_distance": "of different leaves' maps",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would take for a formula."""


def columns(evidence: Evidence) -> dict[str, str]:
    """Name of each column -> what it holds."""
    run = evidence.run
    found = {
        "pair_id": "the leaf",
        "sensor": "of the image",
        "label": "class of the leaf, empty where unknown",
        "split": "train, val or test",
        "prediction": "class predicted from this image alone",
    }
    found |= {f"probability.{name}": f"of {name} from this image alone, 0 to 1" for name in run.classes}
    found["joint_prediction"] = "class predicted from all images of the leaf"
    found |= {f"joint_probability.{name}": f"of {name} from all images, 0 to 1" for name in run.classes}
    found |= {
        "sensors_agree": "whether the first two sensors' predictions are the same",
        "divergence": "Jensen-Shannon divergence of their probabilities, bits, 0 to 1",
        "picture_file": "in this archive; empty where the run keeps no picture",
        "map_file": "picture with the map of the predicted class over it; empty where there is none",
        "map": "kind of that map: method.layer",
        "map_maximum": "strongest evidence of that map, logits",
        "map_scale": "value drawn as the strongest, the same for all sensors of the leaf, logits",
        "map_trust": "whether to believe that map, in words",
    }
    for kind in evidence.kinds:
        found |= {f"{kind.name}.{name}": f"{kind.text}: {what}" for name, what in _TRUST.items()}
    for kind in evidence.kinds:
        found |= {f"agreement.{kind.name}.{name}": f"{kind.text}: {what}" for name, what in _AGREEMENT.items()}
    for band in _bands(evidence):
        found[f"band.{band}"] = f"share of the evidence in {band}, 0 to 1, by Integrated Gradients"
    for number in range(1, NEAREST + 1):
        found[f"nearest_{number}"] = "leaf whose image of this sensor is nearest" if number == 1 else "the next one"
        found[f"nearest_{number}_cosine"] = "of the two embeddings, -1 to 1"
    return found | {
        "twin_cosine": "of the embeddings of the leaf's first two images",
        "image": "path of the image file in the data set",
        "image_width": "pixels",
        "image_height": "pixels",
        "image_sha256": "of the image file, noted at import",
        "manifest_sha256": "of the run's manifest.parquet",
        "weights_sha256": "of the run's weights, file=hash, joined by spaces",
        "weights_run": "name of the other run whose weights were used; empty where they are the run's own",
        "run": "name of the run",
        "simulated": "whether the images are simulated, not photographed",
        "weights_simulated": "whether they are not, but those that the weights were trained on are",
        "made": "when this was put together",
        "rice_ssl_version": "that put it together",
    }


def to_csv(evidence: Evidence, files: Mapping[tuple[str, str], tuple[str, str]]) -> bytes:
    """The table as CSV, UTF-8.

    Args:
        evidence: of the leaves.
        files: by pair id and sensor: names of the picture and of the map's picture; empty where there is none.
    """
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(columns(evidence)), lineterminator="\n")
    writer.writerow({name: _cell(name) for name in columns(evidence)})
    for leaf in evidence.leaves:
        for image in leaf.images:
            row = dict(_figures(evidence, leaf, image, files.get((leaf.pair_id, image.sensor), ("", ""))))
            writer.writerow({name: _cell(value) for name, value in row.items()})
    return stream.getvalue().encode("utf-8", "replace")


def _figures(
    evidence: Evidence, leaf: LeafEvidence, image: ImageEvidence, files: tuple[str, str]
) -> Iterator[tuple[str, Any]]:
    run = evidence.run
    yield from (("pair_id", leaf.pair_id), ("sensor", image.sensor), ("label", leaf.label), ("split", leaf.split))
    yield "prediction", image.prediction
    yield "joint_prediction", leaf.prediction
    for prefix, values in (("probability", image.probabilities), ("joint_probability", leaf.probabilities)):
        yield from zip((f"{prefix}.{name}" for name in run.classes), values, strict=False)
    yield from (("sensors_agree", leaf.agree), ("divergence", leaf.divergence))
    yield from (("picture_file", files[0]), ("map_file", files[1]))
    if evidence.drawn is not None and image.cam is not None:
        yield from (("map", evidence.drawn.name), ("map_maximum", float(image.cam.max())), ("map_scale", leaf.scale))
        yield "map_trust", image.verdict(evidence.drawn)
    for kind in evidence.kinds:
        trust, agreement = image.trust_of(kind) or {}, leaf.agreement.get(kind.name, {})
        yield from ((f"{kind.name}.{name}", trust.get(name)) for name in _TRUST)
        yield from ((f"agreement.{kind.name}.{name}", agreement.get(name)) for name in _AGREEMENT)
    yield from ((f"band.{band}", share) for band, share in image.bands.items())
    for number, (other, _, cosine) in enumerate(image.nearest, start=1):
        yield from ((f"nearest_{number}", other), (f"nearest_{number}_cosine", cosine))
    yield from (("twin_cosine", leaf.cosine), ("image", image.file), ("image_sha256", image.sha256))
    yield from (("image_width", image.width), ("image_height", image.height))
    yield from (("manifest_sha256", run.manifest), ("weights_run", run.weights_of), ("run", run.name))
    yield "weights_sha256", " ".join(f"{one.file}={one.sha256}" for one in run.weights)
    yield from (("simulated", run.simulated), ("weights_simulated", run.weights_simulated))
    yield from (("made", run.made), ("rice_ssl_version", run.version))


def _bands(evidence: Evidence) -> list[str]:
    return list(dict.fromkeys(band for leaf in evidence.leaves for image in leaf.images for band in image.bands))


def _cell(value: Any) -> str:
    """A value as a cell: empty where there is none, and no text that a spreadsheet would take for a formula."""
    if value is None:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return format(float(value), ".6g") if np.isfinite(value) else ""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
