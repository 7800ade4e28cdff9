"""What ``rice-ssl attribution`` leaves behind, in numbers that tests state; made without torch."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rice_ssl.artifacts import RunStore
from tests.fakes import CLASSES

SENSORS = ("rgb", "rgnir")
METHODS = (
    ("grad_cam", "Grad-CAM", "layer4", 4, 5),
    ("grad_cam_plus_plus", "Grad-CAM++", "layer4", 4, 5),
    ("layer_cam", "LayerCAM", "layer3", 4, 5),
    ("integrated_gradients", "Integrated Gradients", "input", 8, 10),
    ("occlusion", "Occlusion", "input", 6, 7),
)
SCORES = {"grad_cam": 0.4, "grad_cam_plus_plus": 0.3, "layer_cam": 0.2, "integrated_gradients": 0.05,
          "occlusion": 0.5, "random": 0.0, "gaussian": 0.25}  # fmt: skip
"""Insertion less deletion of every map of a method; those of integrated gradients do no better than random ones."""


def spread(value, half=0.05):
    return {"value": value, "low": value - half, "high": value + half}


def write_attribution(store: RunStore, seed: int = 0) -> None:
    """Add maps of all images of a fake run, with trust measured on its test pairs (labels are known for all).

    Of the pair ``id_0003`` (the first test pair) RGB's Grad-CAM does no better than random: score 0, p .5.
    """
    rng = np.random.default_rng(seed)
    manifest = store.read_table("manifest")
    keys = manifest[["pair_id", "sensor", "label", "split"]].drop_duplicates(["pair_id", "sensor"])
    keys = pd.concat([keys[keys["split"] == "test"], keys[keys["split"] != "test"]], ignore_index=True)
    measured = int((keys["split"] == "test").sum())
    predicted = store.read_table("predictions").set_index(["pair_id", "sensor"])["prediction"]
    maps = []
    for method, title, layer, height, width in METHODS:
        signed = layer == "input"
        count = measured if signed else len(keys)
        values = (
            rng.normal(0, 1, (count, len(CLASSES), height, width))
            if signed
            else rng.random((count, len(CLASSES), height, width))
        )
        file = f"{method}.{layer}.npy"
        store.write_array(f"attribution/{file}", values.astype(np.float16))
        maps.append({"method": method, "title": title, "layer": layer, "file": file, "signed": signed,
                     "height": height, "width": width, "images": count, "measured_only": signed})  # fmt: skip
    for method, title in (("prototype", "Assigned prototype"), ("similarity", "Similarity of the pair")):
        store.write_array(f"attribution/{method}.npy", rng.random((len(keys), 4, 5)).astype(np.float16))
        maps.append({"method": method, "title": title, "layer": "layer4", "file": f"{method}.npy", "signed": False,
                     "height": 4, "width": 5, "images": len(keys), "measured_only": False})  # fmt: skip
    store.write_table(
        "attribution",
        keys[["pair_id", "sensor"]].assign(row=range(len(keys)), measured=np.arange(len(keys)) < measured),
    )
    trust, localisation, bands = [], [], []
    layers = {method: layer for method, _, layer, _, _ in METHODS} | {"random": "none", "gaussian": "none"}
    for pair_id, sensor, label, split in keys[:measured].itertuples(index=False, name=None):
        for method, score in SCORES.items():
            poor = method == "integrated_gradients" or (pair_id, sensor, method) == ("id_0003", "rgb", "grad_cam")
            own = 0.0 if (pair_id, sensor, method) == ("id_0003", "rgb", "grad_cam") else score
            named = method in ("random", "gaussian")
            trust.append(
                {
                    "pair_id": pair_id, "sensor": sensor, "method": method, "layer": layers[method],
                    "class_name": predicted[pair_id, sensor], "deletion": 0.4 - own / 2, "insertion": 0.4 + own / 2,
                    "score": own, "random_score": 0.0, "gaussian_score": 0.25,
                    "p_random": None if named else 0.5 if poor else 0.05, "road": own / 2, "label": label,
                    "split": split,
                }
            )  # fmt: skip
            if label != "healthy":
                localisation.append(
                    {"pair_id": pair_id, "sensor": sensor, "method": method, "layer": layers[method], "visible": True,
                     "pointing": float(own > 0.2), "mass": own, "rank": own}
                )  # fmt: skip
        for band, share in zip(("red", "green", "blue" if sensor == "rgb" else "near infrared"), (0.2, 0.3, 0.5),
                               strict=True):  # fmt: skip
            bands.append({"pair_id": pair_id, "sensor": sensor, "band": band, "share": share, "signed": share})
    store.write_table("trust", pd.DataFrame(trust))
    store.write_table("localisation", pd.DataFrame(localisation))
    store.write_table("band_evidence", pd.DataFrame(bands))
    joint = {pair_id: predicted[pair_id, "both"] for pair_id in dict.fromkeys(keys["pair_id"][:measured])}
    agreement = [
        {"pair_id": pair_id, "method": method, "layer": layer, "class_name": class_name, "registered": number % 2 == 0,
         "overlap": 0.5, "rank_correlation": 0.4, "centre_distance": 0.1, "null_overlap": 0.3,
         "null_rank_correlation": 0.0, "null_centre_distance": 0.2, "strength_first": 2.0, "strength_second": 1.0,
         "spread_first": 0.3, "spread_second": 0.6, "p_overlap": 0.05}
        for number, (pair_id, class_name) in enumerate(joint.items())
        for method, _, layer, _, _ in METHODS
    ]  # fmt: skip
    store.write_table("map_agreement", pd.DataFrame(agreement))
    pairs, kinds = measured // 2, [*SCORES]
    store.write_document(
        "attribution",
        {
            "class_explained": "the class predicted for the image",
            "settings": {"pairs": 250, "steps": 10, "random_maps": 19, "road_images": 60, "confidence": 0.95, "seed": 0,
                         "measured_pairs": measured // 2},
            "blur": {
                "rgb": {"sigma": 8.0, "remaining": 0.36, "chance": 1 / 3},
                "rgnir": {"sigma": 16.0, "remaining": 0.38, "chance": 1 / 3},
            },
            "maps": maps,
            "trust": [
                {
                    "method": method, "layer": layers[method], "sensor": sensor, "class": class_name, "split": "test",
                    "pairs": pairs if class_name is None else pairs // 3, "deletion": spread(0.4 - SCORES[method] / 2),
                    "insertion": spread(0.4 + SCORES[method] / 2), "score": spread(SCORES[method]),
                    "above_random": None if method == "random" else spread(SCORES[method], 0.1),
                    "above_gaussian": None if method == "gaussian" else spread(SCORES[method] - 0.25, 0.1),
                    "better_share": None if method in ("random", "gaussian") else spread(0.5),
                    "road": spread(SCORES[method] / 2),
                    "road_above_random": None if method == "random" else spread(SCORES[method] / 2, 0.1),
                }
                for method in kinds
                for sensor in SENSORS
                for class_name in (None, *CLASSES)
            ],
            "randomisation": [
                {
                    "method": "grad_cam", "layer": "layer4", "sensor": sensor, "pairs": 6,
                    "stages": [
                        {"name": name, "rank_correlation": spread(value)}
                        for name, value in (("head", 0.6), ("layer4", 0.3), ("layer3", 0.1))
                    ],
                }
                for sensor in SENSORS
            ],
            "localisation": [
                {
                    "method": method, "layer": layers[method], "sensor": sensor, "visible": True, "pairs": 4,
                    "pointing": spread(float(SCORES[method] > 0.2)), "mass": spread(SCORES[method]),
                    "rank": spread(SCORES[method]),
                    "pointing_above_gaussian": None if method == "gaussian" else spread(0.0, 0.1),
                    "mass_above_gaussian": None if method == "gaussian" else spread(SCORES[method] - 0.25),
                    "rank_above_gaussian": None if method == "gaussian" else spread(SCORES[method] - 0.25),
                }
                for method in kinds
                for sensor in SENSORS
            ],
            "agreement": [
                {
                    "method": method, "layer": layer, "registered": registered, "pairs": 3, "overlap": spread(0.5),
                    "rank_correlation": spread(0.4), "centre_distance": spread(0.1),
                    "overlap_above_null": spread(0.2), "rank_correlation_above_null": spread(0.4),
                    "centre_distance_below_null": spread(0.1),
                }
                for method, _, layer, _, _ in METHODS
                for registered in (True, False)
            ],
            "bands": [
                {"sensor": sensor, "band": band, "pairs": pairs, "share": spread(share)}
                for sensor in SENSORS
                for band, share in zip(("red", "green", "blue" if sensor == "rgb" else "near infrared"),
                                       (0.2, 0.3, 0.5), strict=True)
            ],
        },
    )  # fmt: skip
