"""``rice-ssl embed``: embeddings, prototypes, logits, CAMs and thumbnails of every image of a run."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.special import log_softmax, softmax

from rice_ssl.artifacts import RunStore, file_hash
from rice_ssl.config import FinetuneConfig, RunConfig
from rice_ssl.data.image_file import open_image
from rice_ssl.embeddings.chunks import Arrays
from rice_ssl.embeddings.extract import extract
from rice_ssl.embeddings.run_networks import load_run_networks
from rice_ssl.errors import InputError
from rice_ssl.models.classifier import FusedClassifier, PairClassifier, used_slots
from rice_ssl.sensors import BOTH
from rice_ssl.training.device import launch, ranks_of_environment
from rice_ssl.training.run_pictures import run_pictures

_JPEG_QUALITY = 82


@dataclass(frozen=True)
class EmbedSummary:
    """What was made; ``faults`` are pictures that could not be decoded."""

    images: int
    embedding_size: int
    prototypes: int
    classes: int
    cam_size: tuple[int, int] | None
    faults: int

    def text(self) -> str:
        """Readable summary."""
        cam = "no CAMs" if self.cam_size is None else f"CAMs of {self.cam_size[0]}x{self.cam_size[1]}"
        faults = f"; {self.faults} pictures could not be decoded" if self.faults else ""
        return (
            f"{self.images} images: embeddings of {self.embedding_size}, {self.prototypes} prototypes, "
            f"{self.classes} classes, {cam}{faults}"
        )


def run_embed(
    store: RunStore, config: RunConfig, *, weights: RunStore | None = None, progress: bool = True
) -> EmbedSummary | None:
    """Embed every image of the run's manifest; under torchrun, processes share the images, and the first one writes.

    Args:
        store: the run.
        config: its configuration.
        weights: another run whose weights are used; this run's own where None.
        progress: whether to show progress bars.

    Returns:
        What was made; None in a process that is not the first.

    Raises:
        ArtifactError: there are neither SwAV nor classifier weights, nor those of an encoder alone.
    """
    ranks = ranks_of_environment()
    device = launch(config.embed.accelerator, "32-true", ranks).device
    own = load_run_networks(store, device, weights=weights, config=config)
    source, trained, classes, networks = own.source, own.config, own.classes, own.networks
    pictures, table, sensors = run_pictures(store, config, device, progress=progress)
    rows = np.array([row for row in range(len(table)) if row not in pictures.cache.faults], dtype=np.int64)
    folder = store.root / "cache" / "embed" / _resume_key(source, config, trained, table, rows)
    slots = table["sensor"].map({name: slot for slot, name in enumerate(sensors)}).to_numpy(dtype=np.int64)
    found = extract(
        pictures,
        rows,
        networks,
        batch_size=config.embed.batch_size,
        folder=folder,
        slots=np.asarray(slots[rows], dtype=np.int64),
        progress=progress,
        ranks=ranks,
    )
    if not ranks.leads:
        return None
    images = table.iloc[rows].reset_index(drop=True)
    stale: list[str] = [] if networks.swav is not None else ["prototypes.parquet"]
    stale += [] if networks.classifier is not None else ["predictions.parquet", "cams/index.parquet", "cams/cams.npy"]
    store.remove(*stale)
    _write_embeddings(store, images, found, trained.pretrain.temperature)
    if networks.classifier is not None:
        joint, scale = _joint_logits(networks.classifier, images, found, trained.finetune, sensors)
        store.write_table("predictions", predictions_table(images, found["logits"], classes, joint))
        index = pd.DataFrame({"pair_id": images["pair_id"], "sensor": images["sensor"], "row": range(len(images))})
        store.write_cams(index, found["cam"].astype(np.float16))
        store.update_info(pair_scale=scale)
    store.write_table("thumbnails", _thumbnails(Path(store.info()["data_root"]), images, config.embed.thumbnail))
    shutil.rmtree(folder, ignore_errors=True)
    cam = found.get("cam")
    return EmbedSummary(
        images=len(images),
        embedding_size=found["embedding"].shape[1],
        prototypes=found["prototype_logits"].shape[1] if "prototype_logits" in found else 0,
        classes=len(classes) if networks.classifier is not None else 0,
        cam_size=None if cam is None else (cam.shape[2], cam.shape[3]),
        faults=len(pictures.cache.faults),
    )


def _resume_key(
    source: RunStore, config: RunConfig, trained: RunConfig, table: pd.DataFrame, rows: npt.NDArray[np.int64]
) -> str:
    """Name of the resume folder: another one for other weights, images or sizes."""
    noted = source.info()["hashes"]
    parts = [
        [noted.get(f"weights/{name}.safetensors", {}).get("sha256") for name in ("swav", "classifier")],
        file_hash(trained.encoder.weights),
        list(config.data.image_size),
        rows.tolist(),
        table[["sensor", "sha256"]].to_numpy().tolist(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _joint_logits(
    classifier: PairClassifier, images: pd.DataFrame, found: Arrays, config: FinetuneConfig, sensors: list[str]
) -> tuple[npt.NDArray[np.float64] | None, float | None]:
    """Logits of the pairs, in the order in which they appear, and the scale of the mean where they are one.

    None of a classifier that learnt from one sensor: it judges images, not pairs.
    """
    if len(sensors) > 1 and len(used_slots(config, sensors)) == 1:
        return None, None
    if not isinstance(classifier, FusedClassifier):
        scale = float(classifier.log_scale.detach().exp())
        return scaled_means(images, found["logits"], scale), scale
    number, _ = pd.factorize(images["pair_id"])
    slot = images["sensor"].map({name: place for place, name in enumerate(sensors)}).to_numpy(dtype=np.int64)
    shape = (int(number.max()) + 1, len(sensors))
    features = np.zeros((*shape, found["features"].shape[1]), dtype=np.float32)
    present = np.zeros(shape, dtype=bool)
    features[number, slot], present[number, slot] = found["features"], True
    device = next(classifier.parameters()).device
    with torch.no_grad():
        _, joined = classifier.judge(torch.from_numpy(features).to(device), torch.from_numpy(present).to(device))
    return joined.double().cpu().numpy(), None


def _write_embeddings(store: RunStore, images: pd.DataFrame, found: Arrays, temperature: float) -> None:
    keys = images[["pair_id", "sensor"]]
    swav = "prototype_logits" in found
    nothing = pd.Series([None] * len(images), index=images.index, dtype=object)
    store.write_table(
        "embeddings",
        keys.assign(
            embedding=list(found["embedding"]),
            projection=list(found["projection"]) if swav else nothing,
            prototype_logits=list(found["prototype_logits"]) if swav else nothing,
        ),
    )
    if not swav:
        return
    log_p = log_softmax(found["prototype_logits"].astype(np.float64) / temperature, axis=1)
    order = np.argsort(-log_p, axis=1, kind="stable")
    best = np.take_along_axis(log_p, order[:, :1], axis=1)[:, 0]
    store.write_table(
        "prototypes",
        keys.assign(
            prototype=order[:, 0],
            confidence=np.exp(best),
            second=order[:, min(1, order.shape[1] - 1)],
            entropy=-(np.exp(log_p) * log_p).sum(axis=1),
        ),
    )


def scaled_means(images: pd.DataFrame, logits: npt.NDArray[np.floating], scale: float) -> npt.NDArray[np.float64]:
    """Logits of pairs, in the order in which they appear, as :class:`rice_ssl.models.classifier.Classifier` joins them.

    Args:
        images: manifest rows, index 0..N-1.
        logits: shape (N, C).
        scale: of the mean of logits where a pair has two images or more.
    """
    values = np.asarray(logits, dtype=np.float64)
    pairs = images.groupby("pair_id", sort=False).indices
    return np.stack([values[rows].mean(axis=0) * (scale if len(rows) > 1 else 1.0) for rows in pairs.values()])


def predictions_table(
    images: pd.DataFrame,
    logits: npt.NDArray[np.floating],
    classes: list[str],
    joint: npt.NDArray[np.floating] | None,
) -> pd.DataFrame:
    """Predictions of each image, and of each pair from all its images.

    Args:
        images: manifest rows, index 0..N-1.
        logits: shape (N, C).
        classes: names, in the logits' order.
        joint: of the pairs in the order in which they appear, shape (P, C); None where pairs are not judged.
    """
    every, table = np.asarray(logits, dtype=np.float64), images
    if joint is not None:
        first = images.drop_duplicates("pair_id").assign(sensor=BOTH)
        table, every = pd.concat([images, first], ignore_index=True), np.concatenate([every, joint])
    return table[["pair_id", "sensor", "label", "split", "fold"]].assign(
        logits=list(every),
        probabilities=list(softmax(every, axis=1)),
        prediction=[classes[number] for number in every.argmax(axis=1)],
    )


def _thumbnails(root: Path, images: pd.DataFrame, side: int) -> pd.DataFrame:
    """JPEG thumbnails with a long side of ``side`` pixels, in the picture's own aspect."""
    rows = []
    for pair_id, sensor, path in zip(images["pair_id"], images["sensor"], images["path"], strict=True):
        try:
            picture = open_image(root / path)
        except InputError:
            continue
        picture.thumbnail((side, side))
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=_JPEG_QUALITY)
        rows.append((pair_id, sensor, picture.width, picture.height, stream.getvalue()))
    return pd.DataFrame(rows, columns=["pair_id", "sensor", "width", "height", "jpeg"])
