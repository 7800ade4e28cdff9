"""``rice-ssl attribution``: maps of the evidence in every image, and how far they may be trusted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipelines.attribution_tables import (
    Measured,
    Sample,
    agreement_table,
    band_table,
    localisation_table,
    trust_table,
)
from pipelines.figure_text import figure_text
from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.attribution.layers import stage_names
from rice_ssl.attribution.measured import CAMS, PROTOTYPE, SIMILARITY, Explainer, explain, measure
from rice_ssl.attribution.randomised_maps import randomised_table
from rice_ssl.attribution.removal import Blur, choose_blur
from rice_ssl.config import RunConfig
from rice_ssl.embeddings.run_networks import RunNetworks, load_run_networks
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.evaluation.attribution_summary import (
    agreement_summary,
    band_summary,
    localisation_summary,
    randomisation_summary,
    trust_summary,
)
from rice_ssl.evaluation.resampling import Bootstrap
from rice_ssl.models.classifier import used_slots
from rice_ssl.training.batches import Pictures
from rice_ssl.training.device import launch, ranks_of_environment
from rice_ssl.training.run_pictures import run_pictures, usable_rows

FOLDER = "attribution"
TITLES = {
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "layer_cam": "LayerCAM",
    "integrated_gradients": "Integrated Gradients",
    "occlusion": "Occlusion",
    PROTOTYPE: "Assigned prototype",
    SIMILARITY: "Similarity of the pair",
}
_CHUNKS = 1
"""Raised when the same inputs would give other values, so that no call goes on with what a former version left."""
_BLUR_IMAGES = 128
"""Images of each sensor on which the blur is chosen."""


@dataclass(frozen=True)
class AttributionSummary:
    """Images explained, pairs measured, the figures of ``attribution.json``, and pictures that could not be decoded."""

    images: int
    measured: int
    trust: list[dict[str, Any]]
    faults: int

    def text(self) -> str:
        """Readable summary."""
        faults = f"; {self.faults} pictures could not be decoded" if self.faults else ""
        lines = [f"{self.images} images explained, {self.measured} pairs measured{faults}; insertion less deletion"]
        for one in self.trust:
            if one["class"] is None and one["score"] is not None:
                above = one["above_random"]
                than = "" if above is None else f"   above random maps {figure_text(above)}"
                name = f"{one['method']} {'' if one['layer'] == 'none' else one['layer']}"
                lines.append(f"{one['sensor']:6} {name:34} {figure_text(one['score'])}{than}")
        return "\n".join(lines)


def run_attribution(store: RunStore, config: RunConfig, *, progress: bool = True) -> AttributionSummary | None:
    """Explain every image by one pass, and measure the maps of a sample of test pairs (validation pairs without any).

    Under torchrun, processes share the pairs, and the first one writes; None in the others.

    Raises:
        ArtifactError: there is no classifier, or no manifest.
        InputError: no picture can be decoded, or there is neither a test nor a validation pair.
    """
    ranks = ranks_of_environment()
    device = launch(config.attribution.accelerator, "32-true", ranks).device
    own = load_run_networks(store, device)
    classifier = own.networks.classifier
    if classifier is None:
        raise ArtifactError(
            f"{own.source.root} has no classifier, so there is nothing to explain. "
            f"Make one with `rice-ssl finetune {own.source.root}`."
        )
    pictures, table, sensors = run_pictures(store, config, device, progress=progress)
    sample = _sample(config, table, own, pictures)
    settings = config.attribution
    layers = stage_names(classifier.encoder)[-settings.layers :]
    explainer = Explainer(own.networks, classifier, settings, layers, config.seed)
    folder = store.root / "cache" / FOLDER / _resume_key(own, config, table, sample)
    maps = explain(explainer, pictures, sample.rows, folder / "maps", progress=progress, ranks=ranks)
    blurs = _blurs(explainer, pictures, sample)
    sigmas = [blurs[name].sigma if name in blurs else 1.0 for name in sensors]  # of no image where there is none
    rows = sample.rows[: sample.measured]
    kinds, found = measure(explainer, pictures, rows, sigmas, folder / "measured", progress=progress, ranks=ranks)
    if not ranks.leads:
        return None
    few = slice(0, settings.randomised_images)
    randomised = randomised_table(
        explainer, pictures, sample.ids[: sample.measured][few], rows[few], sensors, progress=progress
    )
    _forget(store)
    measured = Measured(maps, kinds, found)
    noted = _write_maps(store, sample, measured)
    tables = {
        "trust": trust_table(sample, measured),
        "localisation": localisation_table(store, sample, measured),
        "map_agreement": agreement_table(store, sample, measured, seed=config.seed),
        "band_evidence": band_table(sample, measured),
    }
    for name, frame in tables.items():
        store.write_table(name, frame)
    made = Bootstrap(settings.bootstrap, settings.confidence, config.seed)
    trust = trust_summary(tables["trust"], made)
    store.write_document(
        FOLDER,
        {
            "class_explained": "the class predicted for the image",
            "settings": {
                **dataclasses.asdict(settings),
                "methods": list(settings.methods),
                "seed": config.seed,
                "measured_pairs": sample.measured,
            },
            "blur": {name: blur.as_dict() for name, blur in blurs.items()},
            "maps": noted,
            "trust": trust,
            "randomisation": randomisation_summary(randomised, made),
            "localisation": localisation_summary(tables["localisation"], made) or None,
            "agreement": agreement_summary(tables["map_agreement"], made),
            "bands": band_summary(tables["band_evidence"], made),
        },
    )
    shutil.rmtree(folder, ignore_errors=True)
    return AttributionSummary(len(sample.images()), sample.measured, trust, len(pictures.cache.faults))


def _sample(config: RunConfig, table: pd.DataFrame, own: RunNetworks, pictures: Pictures) -> Sample:
    """All pairs with images, a seeded sample of the judged ones first."""
    ids, rows = usable_rows(table, [sensor.name for sensor in own.sensors], pictures)
    split = table.groupby("pair_id")["split"].first().reindex(ids).to_numpy()
    judged = next((np.flatnonzero(split == name) for name in ("test", "val") if (split == name).any()), None)
    if judged is None:
        raise InputError("There is neither a test nor a validation pair to measure: import more labelled pairs.")
    chosen = np.random.default_rng([config.seed, 17]).permutation(judged)
    chosen = chosen[: config.attribution.pairs] if config.attribution.pairs else chosen
    seen = used_slots(own.config.finetune, [sensor.name for sensor in own.sensors])[0]
    order = np.concatenate([chosen, np.setdiff1d(np.arange(len(ids)), chosen)])
    return Sample([ids[k] for k in order], rows[order], len(chosen), table, own.sensors, own.classes, seen)


def _resume_key(own: RunNetworks, config: RunConfig, table: pd.DataFrame, sample: Sample) -> str:
    """Name of the resume folder: another one for other weights, images, settings or pairs."""
    noted = own.source.info()["hashes"]
    settings = dataclasses.asdict(config.attribution)
    parts = [
        _CHUNKS,
        [noted.get(f"weights/{name}.safetensors", {}).get("sha256") for name in ("swav", "classifier")],
        {name: value for name, value in settings.items() if name not in ("bootstrap", "confidence", "accelerator")},
        config.seed,
        list(config.data.image_size),
        sample.rows.tolist(),
        [[sensor.name, sensor.mean, sensor.std] for sensor in own.sensors],
        table[["sensor", "sha256", "split"]].to_numpy().tolist(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _blurs(explainer: Explainer, pictures: Pictures, sample: Sample) -> dict[str, Blur]:
    """The blur for each sensor that has images: chosen on pairs that are not measured, of validation where it can be.

    Where all pairs are measured, it is chosen on them: it takes no label.
    """
    found: dict[str, Blur] = {}
    for slot, sensor in enumerate(sample.sensors):
        own, others = sample.rows[:, slot], sample.rows[sample.measured :, slot]
        own, others = own[own >= 0], others[others >= 0]
        split = sample.table.loc[others, "split"].to_numpy()
        choices = (*(others[split == name] for name in ("val", "train", "test")), own)
        rows = next((rows for rows in choices if len(rows)), own)
        if len(rows):
            rows = np.random.default_rng([explainer.seed, 19]).permutation(rows)[:_BLUR_IMAGES]
            size = explainer.config.batch_size
            found[sensor.name] = choose_blur(explainer.classify(slot), pictures.whole(rows), batch_size=size)
    return found


def _forget(store: RunStore) -> None:
    """Remove what a former call left: its arrays are of other rows."""
    names = ("attribution", "trust", "localisation", "map_agreement", "band_evidence")
    arrays = [f"{FOLDER}/{path.name}" for path in sorted((store.root / FOLDER).glob("*.npy"))]
    store.remove(f"{FOLDER}.json", *(TABLES[name].file for name in names), *arrays)


def _write_maps(store: RunStore, sample: Sample, measured: Measured) -> list[dict[str, Any]]:
    """Write ``attribution/*.npy`` and their index; what there is of each kind."""
    images, noted = sample.images(), []
    asked = {method: measured.found[method] for method, layer in measured.kinds if layer == "input"}
    for name, values in (*measured.maps.items(), *asked.items()):
        method, _, layer = name.partition(".")
        signed = method not in (*CAMS, PROTOTYPE, SIMILARITY)
        of = sample.images(measured=True) if signed else images
        file = f"{method}.{layer or 'input'}.npy" if signed or layer else f"{method}.npy"
        pairs, slots = (np.array(part) for part in zip(*of, strict=True))
        kept = values[pairs, slots].astype(np.float16)
        store.write_array(f"{FOLDER}/{file}", kept)
        noted.append(
            {
                "method": method,
                "title": TITLES[method],
                "layer": layer or ("input" if signed else "last"),
                "file": file,
                "signed": signed,
                "height": kept.shape[-2],
                "width": kept.shape[-1],
                "images": len(kept),
                "measured_only": signed,
            }
        )
    store.write_table(
        "attribution",
        pd.DataFrame(
            {
                "pair_id": [sample.ids[pair] for pair, _ in images],
                "sensor": [sample.sensors[slot].name for _, slot in images],
                "row": range(len(images)),
                "measured": [pair < sample.measured for pair, _ in images],
            }
        ),
    )
    return noted
