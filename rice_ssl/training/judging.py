"""Judging pairs with a classifier: whole pictures, several versions of each, one batch at a time."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from rice_ssl.models.classifier import PairClassifier
from rice_ssl.training.batches import Pictures, Rows, fill_missing

BATCH = 64


def versions(images: Tensor, count: int) -> list[Tensor]:
    """The first ``count`` of an image's mirrored and turned versions, shape (B, 3, H, W) each, the image itself first.

    Mirrored left-right, up-down and both ways come first; then, of square images, the same of the transposed one.
    """
    flips: list[tuple[int, ...]] = [(), (3,), (2,), (2, 3)]
    found = [images.flip(axes) if axes else images for axes in flips]
    if images.shape[2] == images.shape[3]:
        found += [version.transpose(2, 3) for version in found]
    return found[:count]


@torch.no_grad()
def judge_rows(
    network: PairClassifier, pictures: Pictures, rows: Rows, *, views: int = 1, progress: bool = False
) -> tuple[Tensor, Tensor]:
    """Logits of pairs from their whole pictures, in evaluation mode.

    Args:
        network: on the device of the pictures.
        pictures: decoded pictures.
        rows: manifest rows, shape (P, S), -1 for a missing picture; at least one a pair.
        views: versions of each picture that are judged, see :func:`versions`; logits are their mean.
        progress: whether to show a progress bar.

    Returns:
        Of each picture judged alone, shape (P, S, C) (a missing one's mean nothing), and of the pairs, shape (P, C),
        both on the CPU.
    """
    network.eval()
    singles, joints = [], []
    with tqdm(total=len(rows), desc="judge", unit="pair", disable=not progress) as bar:
        for at in range(0, len(rows), BATCH):
            chunk = rows[at : at + BATCH]
            filled, slots = fill_missing(chunk), chunk.shape[1]
            there = torch.from_numpy(chunk >= 0).to(pictures.device)
            images = [versions(pictures.whole(filled[:, slot]), views) for slot in range(slots)]
            answers = []
            for version in range(len(images[0])):
                embeddings = torch.stack([network.encoder(images[slot][version]) for slot in range(slots)], dim=1)
                answers.append(network.judge(embeddings, there))
            singles.append(torch.stack([logits for logits, _ in answers]).mean(dim=0).cpu())
            joints.append(torch.stack([joined for _, joined in answers]).mean(dim=0).cpu())
            bar.update(len(chunk))
    return torch.cat(singles), torch.cat(joints)
