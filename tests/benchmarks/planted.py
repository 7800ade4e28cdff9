"""``make benchmark-planted``: does the faithfulness score rank a planted perfect map above Grad-CAM above random maps?

Simulated leaves only. Two classifiers are asked about the same test images that show lesions:

- planted: its logit is, by construction, how far a picture differs from a blurred one on the lesions alone, so
  that the lesion mask is the perfect map. It has no feature map, so the Grad-CAM is that of the trained one.
- trained: the demo's. What is perfect for it nobody knows; the lesion mask is what a person would call so.

The planted map is the lesion mask, softened by 4 px: most of a mask is equal to the rest, and its first pixels beyond
the lesions would be drawn at random. Random maps are on the Grad-CAM's grid. Scores are insertion less deletion, with
the blur that ``rice-ssl attribution`` chose; intervals are bootstraps over images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rice_ssl.artifacts import RunStore
from rice_ssl.attribution.baseline_maps import centred_gaussian, random_maps
from rice_ssl.attribution.faithfulness import deletion_insertion
from rice_ssl.attribution.layers import layer_cams, stage_names
from rice_ssl.attribution.removal import blurred
from rice_ssl.data.simulate.lesion_masks import lesion_mask, sensors_that_show
from rice_ssl.embeddings.run_networks import load_run_networks
from rice_ssl.evaluation.paired_tests import paired_difference
from rice_ssl.evaluation.resampling import Bootstrap
from rice_ssl.run_config import config_of_run
from rice_ssl.training.run_pictures import run_pictures

MAPS = ("planted", "Grad-CAM", "centred Gaussian", "random")
RANDOM_MAPS, SOFTENED = 5, 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("assets/demo"))
    parser.add_argument("--images", type=int, default=60, help="of each sensor")
    arguments = parser.parse_args()
    store, device = RunStore(arguments.run), torch.device("cpu")
    config, own = config_of_run(store), load_run_networks(store, device)
    pictures, table, _ = run_pictures(store, config, device)
    root, shown = Path(store.info()["data_root"]), sensors_that_show(Path(store.info()["data_root"]))
    labels = table["label"].isin(["blast", "brown"]) & (table["split"] == "test")
    print("classifier  sensor  map                score              above the next one")
    scores: dict[tuple[str, str], list[list[float]]] = {}
    for slot, sensor in enumerate(own.sensors):
        rows = table.index[labels & (table["sensor"] == sensor.name)]
        rows = [row for row in rows if shown[table.loc[row, "pair_id"]] in ("both", sensor.name)][: arguments.images]
        sigma = float(store.read_document("attribution")["blur"][sensor.name]["sigma"])
        for row in rows:
            for name, values in _scores(own, pictures, root, table, row, slot, sigma).items():
                scores.setdefault((name, sensor.name), []).append(values)
    made = Bootstrap(2000, 0.95, 0)
    for (name, sensor), found in scores.items():
        values = np.array(found)
        drawn = made.pairs(len(values))
        for place, kind in enumerate(MAPS):
            one = made.mean(values[:, place])
            text = f"{one['value']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
            if place + 1 < len(MAPS):
                step = paired_difference(values[:, place], values[:, place + 1], drawn, 0.95)
                text += f"  {step.value:+.3f} [{step.low:+.3f}, {step.high:+.3f}]"
            print(f"{name:11} {sensor:7} {kind:18} {text}")
        print(f"{name:11} {sensor:7} {len(values)} images")


def _scores(own, pictures, root: Path, table, row: int, slot: int, sigma: float) -> dict[str, list[float]]:
    """Score of each of :data:`MAPS` for both classifiers; one's mean over random maps."""
    classifier = own.networks.classifier
    image = pictures.whole(np.array([row]))
    slots = torch.tensor([slot])
    last = stage_names(classifier.encoder)[-1]
    number = own.classes.index(table.loc[row, "label"])
    with torch.no_grad():
        _, found = layer_cams(
            classifier.encoder, image, lambda embedding: classifier.classify(embedding, slots), layers=[last]
        )
    cam = found[last]["grad_cam"][0, number]
    mask = torch.from_numpy(lesion_mask(root, table.loc[row, "path"])).float()[None, None]
    fine = functional.interpolate(mask, image.shape[-2:], mode="area")[0, 0]
    planted = blurred(fine.expand(1, 3, -1, -1), SOFTENED)[:, :1]
    random = random_maps(RANDOM_MAPS, tuple(cam.shape), torch.Generator().manual_seed(row))
    maps = torch.cat([cam[None], centred_gaussian(*cam.shape)[None], random])[None]
    baseline = blurred(image, sigma)

    def perfect(images: Tensor) -> Tensor:
        unlike = ((images - baseline).abs().mean(dim=1) * fine).sum(dim=(1, 2))
        most = ((image - baseline).abs().mean(dim=1) * fine).sum(dim=(1, 2))
        return torch.stack([torch.zeros_like(unlike), 6 * unlike / most - 3], dim=1)

    def trained(images: Tensor) -> Tensor:
        return classifier.classify(classifier.encoder(images), slots.expand(len(images)))

    scores = {}
    for name, classify, of in (("planted", perfect, 1), ("trained", trained, number)):
        found = []
        for several in (planted, maps):
            down, up = deletion_insertion(classify, image, baseline, several, torch.tensor([of]), seed=row)
            found += (up - down)[0].tolist()
        scores[name] = [*found[:3], float(np.mean(found[3:]))]
    return scores


if __name__ == "__main__":
    main()
