"""Images that are there twice: the same bytes, or nearly the same picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from rice_ssl.data.manifest import Finding

MAX_DISTANCE = 4
"""Bits, of the 64 of a perceptual hash, in which near-duplicates may differ."""
MAX_DIFFERENCE = 6.0
"""Root mean square difference, in grey levels of 255, that the thumbnails of near-duplicates may have.

Measured on 2,252 rice leaves before black: the hash alone at 4 bits chains 24 different leaves of one pose together
(116 at 8 bits); pairs within 6 levels were the same picture, recompressed or shifted by a pixel, but for two pairs of
dim leaves, which MAX_SHARE refuses; pairs of 6 to 10 levels often were two leaves.
"""
MAX_SHARE = 0.15
"""The same difference as a share of the thumbnails' own standard deviation; one level is always allowed."""
THUMBNAIL = 16
_CELLS = 4_000_000  # hash distances computed at a time
_CHECKS = 50_000  # thumbnails compared at a time


@dataclass(frozen=True)
class DuplicateCluster:
    """Pairs that share a picture: ``kind`` is ``exact_duplicate`` or ``near_duplicate``."""

    kind: str
    pair_ids: tuple[str, ...]
    sensors: tuple[str, ...]


def fingerprint(image: Image.Image) -> tuple[int, npt.NDArray[np.uint8]]:
    """64-bit perceptual hash (DCT, ImageHash's ``phash``) and thumbnail, shape (16, 16, 3), of an RGB image.

    The hash finds candidates fast; the thumbnail confirms them, for the hash sees neither colour nor brightness.
    """
    bits = imagehash.phash(image).hash.flatten()
    thumbnail = np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), dtype=np.uint8)
    return int.from_bytes(np.packbits(bits).tobytes()), thumbnail


def clusters_of_equal(keys: Sequence[object]) -> npt.NDArray[np.int64]:
    """Cluster number of each key that occurs more than once, -1 for the others; numbers follow first occurrence."""
    seen: dict[object, list[int]] = {}
    for position, key in enumerate(keys):
        seen.setdefault(key, []).append(position)
    found = np.full(len(keys), -1, dtype=np.int64)
    for number, members in enumerate(members for members in seen.values() if len(members) > 1):
        found[members] = number
    return found


def clusters_of_near(
    hashes: npt.NDArray[np.uint64],
    thumbnails: npt.NDArray[np.uint8],
    *,
    max_distance: int = MAX_DISTANCE,
    max_difference: float = MAX_DIFFERENCE,
) -> npt.NDArray[np.int64]:
    """Cluster images that nearly look the same; chains are joined. Time grows with N squared, memory with N.

    Args:
        hashes: 64-bit perceptual hash of each image, shape (N,).
        thumbnails: uint8, shape (N, h, w, 3).
        max_distance: bits in which the hashes may differ, >= 0.
        max_difference: root mean square difference of the thumbnails, in levels 0 to 255.

    Returns:
        Cluster number of each image with a neighbour, -1 for the others, shape (N,).
    """
    first: dict[bytes, int] = {}
    alike = [
        first.setdefault(bits.tobytes() + small.tobytes(), k)
        for k, (bits, small) in enumerate(zip(hashes, thumbnails, strict=True))
    ]
    kept = np.array(list(first.values()), dtype=np.int64)  # of pictures with the same fingerprint, one is compared
    names = np.arange(len(hashes), dtype=np.int64)
    names[kept] = kept[_joined(hashes[kept], thumbnails[kept].reshape(len(kept), -1), max_distance, max_difference)]
    return clusters_of_equal(names[alike].tolist())


def _joined(
    hashes: npt.NDArray[np.uint64], flat: npt.NDArray[np.uint8], max_distance: int, max_difference: float
) -> npt.NDArray[np.int64]:
    """Position of the first image of each image's cluster."""
    count = len(hashes)
    names: npt.NDArray[np.int64] = np.arange(count, dtype=np.int64)
    spread = flat.std(axis=1, dtype=np.float32)
    block = max(1, _CELLS // max(count, 1))
    for start in range(0, count, block):
        rows, columns = np.nonzero(
            np.bitwise_count(hashes[start : start + block, None] ^ hashes[None, start:]) <= max_distance
        )
        rows, columns = rows[rows < columns] + start, columns[rows < columns] + start
        if len(rows):
            same = _look_alike(flat, spread, rows, columns, max_difference)
            # Pictures joined so far stay joined: each is linked to the picture that names its cluster.
            left, right = np.concatenate([rows[same], np.arange(count)]), np.concatenate([columns[same], names])
            graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
            labels = connected_components(graph, directed=False)[1]
            names = np.unique(labels, return_index=True)[1][labels]
    return names


def _look_alike(
    flat: npt.NDArray[np.uint8],
    spread: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    max_difference: float,
) -> npt.NDArray[np.bool_]:
    """Whether the thumbnails of each candidate pair are near each other."""
    found = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(rows), _CHECKS):
        part = slice(start, start + _CHECKS)
        difference = flat[rows[part]].astype(np.float32) - flat[columns[part]]
        contrast = np.maximum(spread[rows[part]], spread[columns[part]])
        limit = np.minimum(max_difference, np.maximum(1.0, MAX_SHARE * contrast))
        found[part] = np.square(difference).mean(axis=1) <= limit**2
    return found


def find_duplicates(table: pd.DataFrame, thumbnails: npt.NDArray[np.uint8]) -> list[DuplicateCluster]:
    """Clusters of images that are the same file (any sensor), then of those that nearly look the same (one sensor).

    Args:
        table: columns pair_id, sensor, sha256 and phash (uint64), one row per image.
        thumbnails: of the same rows.

    Returns:
        Clusters; a near-duplicate cluster holds pictures that are not all the same file.
    """
    pair_ids, sensors = table["pair_id"].to_numpy(), table["sensor"].to_numpy()
    hashes, phashes = table["sha256"].to_numpy(), table["phash"].to_numpy(dtype=np.uint64)
    found = []

    def add(kind: str, members: npt.NDArray[np.int64]) -> None:
        if kind == "exact_duplicate" or len(set(hashes[members])) > 1:
            found.append(DuplicateCluster(kind, tuple(pair_ids[members]), tuple(sensors[members])))

    for members in _members(clusters_of_equal(hashes.tolist())):
        add("exact_duplicate", members)
    for sensor in dict.fromkeys(sensors):
        rows = np.flatnonzero(sensors == sensor)
        for members in _members(clusters_of_near(phashes[rows], thumbnails[rows])):
            add("near_duplicate", rows[members])
    return found


def _members(clusters: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    return [np.flatnonzero(clusters == number) for number in range(int(clusters.max(initial=-1)) + 1)]


def duplicate_findings(clusters: Sequence[DuplicateCluster]) -> list[Finding]:
    """A finding for each image of each cluster; the cluster's number is its place in the list."""
    findings = []
    for number, cluster in enumerate(clusters):
        word = "is the same file as" if cluster.kind == "exact_duplicate" else "looks like"
        images = list(zip(cluster.pair_ids, cluster.sensors, strict=True))
        for place, (pair_id, sensor) in enumerate(images):
            other, other_sensor = images[0 if place else 1]
            more = f" and {len(images) - 2} more" if len(images) > 2 else ""
            detail = f"{pair_id} ({sensor}) {word} {other} ({other_sensor}){more}."
            findings.append(Finding(cluster.kind, pair_id, sensor, detail, number))
    return findings
