"""What ``rice-ssl attribution`` found of measured images, as tables of a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.attribution.baseline_maps import centred_gaussian, random_maps
from rice_ssl.attribution.measured import GAUSSIAN, RANDOM
from rice_ssl.data.simulate.lesion_masks import lesion_mask, sensors_that_show
from rice_ssl.evaluation.localisation import mass, pointing, rank
from rice_ssl.evaluation.map_agreement import map_agreement
from rice_ssl.sensors import BOTH, Sensor
from rice_ssl.training.batches import Rows

Maps = npt.NDArray[np.float32]
Kind = tuple[str, str]
"""Method and layer."""
_RANDOM_MAPS = 5
"""That every lesion mask is compared with; their mean is noted."""


@dataclass(frozen=True)
class Sample:
    """Pairs with images, those first that are measured.

    Attributes:
        ids: of P pairs.
        rows: manifest rows, shape (P, S), -1 for a missing image.
        measured: how many of them, from the first, are measured.
        table: the manifest.
        sensors: S of them.
        classes: names, in the order of the logits.
        seen: number of the first sensor whose images the classifier learnt from.
    """

    ids: list[str]
    rows: Rows
    measured: int
    table: pd.DataFrame
    sensors: list[Sensor]
    classes: list[str]
    seen: int

    def images(self, *, measured: bool = False) -> list[tuple[int, int]]:
        """Pair and sensor numbers of all images, or of those of measured pairs, which come first."""
        rows = self.rows[: self.measured] if measured else self.rows
        return [(pair, slot) for pair, slot in np.argwhere(rows >= 0).tolist()]


@dataclass(frozen=True)
class Measured:
    """What :func:`rice_ssl.attribution.measured.explain` and ``measure`` gave.

    Attributes:
        maps: one-pass maps of all images.
        kinds: of the maps measured.
        found: other maps, and figures.
    """

    maps: dict[str, Maps]
    kinds: Sequence[Kind]
    found: dict[str, Maps]

    def of_class(self, kind: Kind, pair: int, slot: int, number: int) -> Maps:
        """A measured image's map for one class, shape (h, w)."""
        method, layer = kind
        whole = self.found[method] if layer == "input" else self.maps[f"{method}.{layer}"]
        found: Maps = whole[pair, slot, number]
        return found

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the last layer's maps."""
        own = [values for name, values in self.maps.items() if "." in name]
        return int(own[-1].shape[-2]), int(own[-1].shape[-1])


def trust_table(sample: Sample, measured: Measured) -> pd.DataFrame:
    """One row for each measured image and map: its faithfulness for the class predicted."""
    images, kinds, found = sample.images(measured=True), measured.kinds, measured.found
    manifest = sample.table.groupby("pair_id")[["label", "split"]].first()
    figures = ("deletion", "insertion", "score", "random_score", "gaussian_score", "p_random", "road")
    values = {**found, "score": found["insertion"] - found["deletion"]}
    parts = []
    for number, (method, layer) in enumerate(kinds):
        rows = [
            {
                "pair_id": sample.ids[pair],
                "sensor": sample.sensors[slot].name,
                "method": method,
                "layer": layer,
                "class_name": sample.classes[int(found["predicted"][pair, slot])],
                **{name: float(values[name][pair, slot, number]) for name in figures},
            }
            for pair, slot in images
        ]
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True).join(manifest, on="pair_id")


def localisation_table(store: RunStore, sample: Sample, measured: Measured) -> pd.DataFrame:
    """How maps for the label's class lie on the lesions of simulated leaves; no row elsewhere."""
    columns = list(TABLES["localisation"].columns)
    info = store.info()
    if not info.get("simulated"):
        return pd.DataFrame(columns=columns)
    root, rows = Path(info["data_root"]), []
    shown = sensors_that_show(root)
    labels = sample.table.groupby("pair_id")["label"].first()
    generator = torch.Generator().manual_seed(0)
    for pair, slot in sample.images(measured=True):
        pair_id, label = sample.ids[pair], labels[sample.ids[pair]]
        mask = lesion_mask(root, str(sample.table.loc[sample.rows[pair, slot], "path"]))
        if mask is None or not mask.any() or label not in sample.classes:
            continue
        number, name = sample.classes.index(label), sample.sensors[slot].name
        for kind in measured.kinds:
            if kind[0] in (RANDOM, GAUSSIAN):
                several = _baselines(kind[0], measured.grid, generator)
            else:
                several = [measured.of_class(kind, pair, slot, number)]
            figures = {
                measure.__name__: float(np.mean([measure(one, mask) for one in several]))
                for measure in (pointing, mass, rank)
            }
            visible = shown.get(pair_id, BOTH) in (BOTH, name)
            rows.append(
                {"pair_id": pair_id, "sensor": name, "method": kind[0], "layer": kind[1], "visible": visible, **figures}
            )
    return pd.DataFrame(rows, columns=columns)


def _baselines(name: str, size: tuple[int, int], generator: torch.Generator) -> list[Maps]:
    made = centred_gaussian(*size)[None] if name == GAUSSIAN else random_maps(_RANDOM_MAPS, size, generator)
    return [one.numpy() for one in made]


def agreement_table(store: RunStore, sample: Sample, measured: Measured, *, seed: int) -> pd.DataFrame:
    """How the maps of a pair's first two images agree on the class predicted for the pair."""
    columns = list(TABLES["map_agreement"].columns)
    rows = sample.rows[: sample.measured]
    both: list[int] = np.flatnonzero((rows[:, :2] >= 0).sum(axis=1) == 2).tolist()
    if not both:
        return pd.DataFrame(columns=columns)
    joint = _joint_classes(store, sample)
    first_said = measured.found["predicted"][:, min(sample.seen, 1)]  # where pairs are not judged
    shifts = _shifts(store, sample)
    parts = []
    for kind in measured.kinds:
        if kind[0] in (RANDOM, GAUSSIAN):
            continue
        for registered in (True, False):
            chosen = [pair for pair in both if (sample.ids[pair] in shifts) == registered]
            if not chosen:
                continue
            classes = [joint.get(sample.ids[pair], int(first_said[pair])) for pair in chosen]
            first, second = (
                np.stack([measured.of_class(kind, pair, slot, c) for pair, c in zip(chosen, classes, strict=True)])
                for slot in range(2)
            )
            own = np.array([shifts[sample.ids[pair]] for pair in chosen]) if registered else None
            frame = map_agreement(first, second, shifts=own, seed=seed)
            parts.append(
                frame.assign(
                    pair_id=[sample.ids[pair] for pair in chosen],
                    method=kind[0],
                    layer=kind[1],
                    class_name=[sample.classes[number] for number in classes],
                    registered=registered,
                )
            )
    return pd.concat(parts, ignore_index=True)[columns]


def _joint_classes(store: RunStore, sample: Sample) -> dict[str, int]:
    """Number of the class predicted for each pair from all its images, where that is known."""
    if not store.has("predictions"):
        return {}
    table = store.read_table("predictions", ["pair_id", "sensor", "prediction"])
    table = table[(table["sensor"] == BOTH) & table["prediction"].isin(sample.classes)]
    return {
        pair_id: sample.classes.index(name) for pair_id, name in zip(table["pair_id"], table["prediction"], strict=True)
    }


def _shifts(store: RunStore, sample: Sample) -> dict[str, tuple[float, float]]:
    """Shift of each pair that the audit is confident of, as shares of width and height."""
    if not store.has("registration"):
        return {}
    table = store.read_table("registration", ["pair_id", "dx", "dy", "confident"])
    size = sample.table.drop_duplicates("pair_id").set_index("pair_id")[["width", "height"]]
    table = table[table["confident"]].join(size, on="pair_id", how="inner")
    return {
        pair_id: (dx / width, dy / height)
        for pair_id, dx, dy, width, height in table[["pair_id", "dx", "dy", "width", "height"]].itertuples(index=False)
    }


def band_table(sample: Sample, measured: Measured) -> pd.DataFrame:
    """Share of each band in the evidence for the class predicted, by integrated gradients."""
    columns, found = list(TABLES["band_evidence"].columns), measured.found
    if "band_share" not in found:
        return pd.DataFrame(columns=columns)
    rows = [
        {
            "pair_id": sample.ids[pair],
            "sensor": sample.sensors[slot].name,
            "band": band,
            "share": float(found["band_share"][pair, slot, number]),
            "signed": float(found["band_signed"][pair, slot, number]),
        }
        for pair, slot in sample.images(measured=True)
        for number, band in enumerate(sample.sensors[slot].bands)
    ]
    return pd.DataFrame(rows, columns=columns)
