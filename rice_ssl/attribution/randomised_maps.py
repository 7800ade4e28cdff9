"""CAMs of a network whose parameters are randomised stage after stage, beside those of the trained one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from tqdm import tqdm

from rice_ssl.attribution.measured import Explainer
from rice_ssl.attribution.randomisation import cascade, rank_correlation, stages
from rice_ssl.models.classifier import PairClassifier
from rice_ssl.training.batches import Pictures, Rows


def randomised_table(
    explainer: Explainer,
    pictures: Pictures,
    ids: Sequence[str],
    rows: Rows,
    sensors: Sequence[str],
    *,
    progress: bool = True,
) -> pd.DataFrame:
    """Rank correlation of CAMs with those of ever more randomised networks, for the class that the trained predicts.

    Args:
        explainer: networks and settings.
        pictures: decoded pictures.
        ids: of P pairs.
        rows: their manifest rows, shape (P, S), -1 for a missing image.
        sensors: names of the S sensors.
        progress: whether to show a progress bar.

    Returns:
        Columns ``pair_id``, ``sensor``, ``method``, ``layer``, ``stage`` (the last one randomised) and
        ``rank_correlation``; stages in the order of the cascade, the head's first.

    Source:
        Adebayo et al. 2018, section 3 (arXiv 1810.03292).
    """
    parts: list[pd.DataFrame] = []
    order = stages(explainer.classifier)
    batches = [
        (slot, np.flatnonzero(rows[:, slot] >= 0)[at : at + explainer.config.batch_size])
        for slot in range(rows.shape[1])
        for at in range(0, int((rows[:, slot] >= 0).sum()), explainer.config.batch_size)
    ]
    trained = []
    for slot, chosen in batches:
        logits, maps = explainer.layer_maps(explainer.classifier, pictures.whole(rows[chosen, slot]), slot)
        predicted = logits.argmax(dim=1)
        trained.append((predicted, {kind: _of_class(own, predicted) for kind, own in maps.items()}))
    images = int((rows >= 0).sum())
    with tqdm(total=len(order) * images, desc="randomise", unit="image", disable=not progress) as bar:
        for stage, network in cascade(explainer.classifier, order, seed=explainer.seed):
            for (slot, chosen), (predicted, originals) in zip(batches, trained, strict=True):
                _, maps = explainer.layer_maps(cast(PairClassifier, network), pictures.whole(rows[chosen, slot]), slot)
                for kind, own in maps.items():
                    method, layer = kind.split(".", 1)
                    parts.append(
                        pd.DataFrame(
                            {
                                "pair_id": [ids[pair] for pair in chosen],
                                "sensor": sensors[slot],
                                "method": method,
                                "layer": layer,
                                "stage": stage,
                                "rank_correlation": rank_correlation(_of_class(own, predicted), originals[kind]),
                            }
                        )
                    )
                bar.update(len(chosen))
    columns = ["pair_id", "sensor", "method", "layer", "stage", "rank_correlation"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _of_class(maps: torch.Tensor, classes: torch.Tensor) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = maps[torch.arange(len(maps)), classes].detach().float().cpu().numpy()
    return found
