from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import rice_ssl.data.duplicates as module
from rice_ssl.data.duplicates import (
    clusters_of_equal,
    clusters_of_near,
    duplicate_findings,
    find_duplicates,
    fingerprint,
)
from tests.data.fake_images import picture

RICE = Path(__file__).parents[3] / "shared" / "data" / "rice-leaves-rgb" / "Images"


def test_equal_keys():
    assert clusters_of_equal(list("abcbaa")).tolist() == [0, 1, -1, 1, 0, 0]
    assert clusters_of_equal([]).tolist() == []


def _slow(hashes, thumbnails, bits, levels):
    """Pairwise loop and repeated relabelling."""
    count = len(hashes)
    names = list(range(count))
    for i in range(count):
        for j in range(i):
            apart = bin(int(hashes[i]) ^ int(hashes[j])).count("1")
            rms = np.sqrt(np.mean((thumbnails[i].astype(float) - thumbnails[j]) ** 2))
            contrast = max(thumbnails[i].astype(float).std(), thumbnails[j].astype(float).std())
            if apart <= bits and rms <= min(levels, max(1.0, 0.15 * contrast)):
                old, new = max(names[i], names[j]), min(names[i], names[j])
                names = [new if name == old else name for name in names]
    return clusters_of_equal(names)


@pytest.mark.parametrize("cells", [4_000_000, 300, 1])
def test_near_clusters_agree_with_a_slow_loop(monkeypatch, cells):
    monkeypatch.setattr(module, "_CELLS", cells)
    monkeypatch.setattr(module, "_CHECKS", 7)
    rng = np.random.default_rng(1)
    for _ in range(5):
        centres = rng.integers(0, 2**63, 6, dtype=np.uint64)
        hashes = centres[rng.integers(0, 6, 90)]
        for _ in range(3):
            hashes ^= np.uint64(1) << rng.integers(0, 64, 90).astype(np.uint64)
        relief = np.arange(12).reshape(1, 2, 2, 3) * rng.choice([0, 2, 9], (90, 1, 1, 1))
        thumbnails = (rng.integers(0, 3, (90, 1, 1, 1)) * 3 + relief + rng.integers(0, 2, (90, 2, 2, 3))).astype(
            np.uint8
        )
        found = clusters_of_near(hashes, thumbnails, max_distance=4, max_difference=4.0)
        assert found.max() > 3
        assert np.bincount(found[found >= 0]).max() > 2
        assert found.tolist() == _slow(hashes, thumbnails, 4, 4.0).tolist()


def test_the_hash_alone_does_not_make_a_duplicate():
    """Every plain picture has the same perceptual hash but for a bit, whatever its colour."""
    prints = [fingerprint(Image.new("RGB", (32, 32), colour)) for colour in ("black", "white", "green", "#000100")]
    hashes, thumbnails = np.array([h for h, _ in prints], np.uint64), np.stack([t for _, t in prints])
    assert np.bitwise_count(hashes ^ hashes[1]).max() <= 1
    assert clusters_of_near(hashes, thumbnails).tolist() == [0, -1, -1, 0]


def test_recompressed_and_resized_pictures_are_near_and_others_are_not():
    images = [picture(k, (160, 128)) for k in range(40)]
    stream = io.BytesIO()
    images[3].save(stream, "JPEG", quality=40)
    images += [Image.open(stream).convert("RGB"), images[5].resize((80, 64))]
    prints = [fingerprint(image) for image in images]
    found = clusters_of_near(np.array([h for h, _ in prints], np.uint64), np.stack([t for _, t in prints]))
    assert {k: int(c) for k, c in enumerate(found) if c >= 0} == {3: 0, 40: 0, 5: 1, 41: 1}


def test_a_thousand_equal_pictures_are_one_cluster():
    hashes, thumbnails = np.zeros(3000, np.uint64), np.zeros((3000, 16, 16, 3), np.uint8)
    assert clusters_of_near(hashes, thumbnails).tolist() == [0] * 3000


def test_findings_name_the_other_image_and_number_the_cluster():
    table = pd.DataFrame(
        {
            "pair_id": ["a", "a", "b", "c", "d"],
            "sensor": ["rgb", "rgnir", "rgb", "rgb", "rgb"],
            "sha256": ["1", "2", "2", "3", "4"],
            "phash": np.array([0, 7, 2**40 - 1, 1, 2**63], np.uint64),
        }
    )
    clusters = find_duplicates(table, np.zeros((5, 16, 16, 3), np.uint8))
    assert [(c.kind, c.pair_ids, c.sensors) for c in clusters] == [
        ("exact_duplicate", ("a", "b"), ("rgnir", "rgb")),
        ("near_duplicate", ("a", "c", "d"), ("rgb", "rgb", "rgb")),
    ]
    assert [(f.pair_id, f.sensor, f.cluster, f.detail) for f in duplicate_findings(clusters)] == [
        ("a", "rgnir", 0, "a (rgnir) is the same file as b (rgb)."),
        ("b", "rgb", 0, "b (rgb) is the same file as a (rgnir)."),
        ("a", "rgb", 1, "a (rgb) looks like c (rgb) and 1 more."),
        ("c", "rgb", 1, "c (rgb) looks like a (rgb) and 1 more."),
        ("d", "rgb", 1, "d (rgb) looks like a (rgb) and 1 more."),
    ]


@pytest.mark.skipif(not RICE.is_dir(), reason=f"{RICE} is not on this machine")
def test_real_leaves_do_not_chain_together():
    """The hash alone chains 24 different leaves of this set; see MAX_DIFFERENCE."""
    prints = [fingerprint(Image.open(path).convert("RGB")) for path in sorted(RICE.glob("*.jpg"))]
    hashes, thumbnails = np.array([h for h, _ in prints], np.uint64), np.stack([t for _, t in prints])
    found = clusters_of_near(hashes, thumbnails)
    sizes = np.bincount(found[found >= 0])
    assert 400 < len(sizes) < 600
    assert sizes.max() <= 8
    chained = clusters_of_near(hashes, np.zeros_like(thumbnails))
    assert np.bincount(chained[chained >= 0]).max() > 20
