from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rice_ssl.data.loading as module
from rice_ssl.data.loading import build_cache, pair_rows
from rice_ssl.data.zindi import import_zindi
from rice_ssl.errors import InputError
from tests.data.fake_images import truncate, write_zindi

SIZE = (8, 10)


@pytest.fixture
def manifest(tmp_path):
    return import_zindi(write_zindi(tmp_path / "d", train=9, test=2), folds=3, progress=False)


def _build(manifest, folder: Path, size: tuple[int, int] = SIZE, **options):
    return build_cache(manifest.table, manifest.root, size, folder, progress=False, **options)


def test_each_row_is_its_file_resized(manifest, tmp_path):
    cache = _build(manifest, tmp_path / "c")
    assert cache.images.shape == (22, 8, 10, 3)
    assert cache.images.dtype == np.uint8
    assert cache.faults == {}
    for row, name in manifest.table["path"].items():
        with Image.open(manifest.root / name) as opened:
            slow = opened.convert("RGB").resize((10, 8), Image.Resampling.BILINEAR)
        assert np.abs(cache.images[row].astype(int) - np.asarray(slow)).max() <= 1
    assert not cache.images.flags.writeable


def test_a_cache_is_taken_again_and_other_sizes_or_files_are_others(manifest, tmp_path, monkeypatch):
    first = np.array(_build(manifest, tmp_path / "c").images)
    decoded = []
    original = module.decode_image
    monkeypatch.setattr(module, "decode_image", lambda *a, **k: decoded.append(1) or original(*a, **k))
    assert np.array_equal(_build(manifest, tmp_path / "c").images, first)
    assert decoded == []
    assert _build(manifest, tmp_path / "c", (4, 4)).images.shape == (22, 4, 4, 3)
    assert len(decoded) == 22
    fewer = dataclasses.replace(manifest, table=manifest.table.iloc[2:].reset_index(drop=True))
    assert np.array_equal(_build(fewer, tmp_path / "c").images, first[2:])
    assert sorted({p.suffix for p in (tmp_path / "c").iterdir()}) == [".json", ".lock", ".npy"]


def test_faults_are_listed_and_their_rows_are_zero(manifest, tmp_path):
    images = manifest.root / "Images"
    truncate(images / "id_000.jpg")
    (images / "id_001_rgn.jpg").unlink()
    (images / "id_002.jpg").write_bytes((images / "id_003.jpg").read_bytes())
    for _ in range(2):  # decoded, then read from the cache
        cache = _build(manifest, tmp_path / "c")
        assert cache.faults == {
            0: "id_000 (rgb): Images/id_000.jpg was changed after the import: import the folder again.",
            3: "id_001 (rgnir): Images/id_001_rgn.jpg cannot be read (No such file or directory): check that it is "
            "there.",
            4: "id_002 (rgb): Images/id_002.jpg was changed after the import: import the folder again.",
        }
        blank = [row for row in range(22) if not cache.images[row].any()]
        assert blank == [0, 3, 4]


def test_files_that_could_not_be_read_are_tried_again(manifest, tmp_path, monkeypatch):
    whole = np.array(_build(manifest, tmp_path / "whole").images)
    away = [manifest.root / "Images" / name for name in ("id_001_rgn.jpg", "id_002.jpg")]
    for path in away:
        path.rename(path.with_suffix(".away"))
    first = _build(manifest, tmp_path / "c")
    assert list(first.faults) == [3, 4]
    away[0].with_suffix(".away").rename(away[0])
    decoded, original = [], module.decode_image
    monkeypatch.setattr(module, "decode_image", lambda c, n, **o: decoded.append(n) or original(c, n, **o))
    second = _build(manifest, tmp_path / "c")
    assert list(second.faults) == [4]
    assert decoded == ["Images/id_001_rgn.jpg"]  # the others are taken as they are
    assert np.array_equal(second.images[3], whole[3])
    assert not second.images[4].any()
    assert not second.images.flags.writeable
    away[1].with_suffix(".away").rename(away[1])
    for expected in (2, 2):  # tried again once, then there is nothing to try
        third = _build(manifest, tmp_path / "c")
        assert len(decoded) == expected
    assert third.faults == {}
    assert np.array_equal(third.images, whole)
    assert sorted(p.suffix for p in (tmp_path / "c").iterdir()) == [".json", ".lock", ".npy"]


def test_a_call_killed_while_it_tries_again_leaves_the_faults_to_the_next(manifest, tmp_path, monkeypatch):
    whole = np.array(_build(manifest, tmp_path / "whole").images)
    path = manifest.root / "Images" / "id_001_rgn.jpg"
    path.rename(path.with_suffix(".away"))
    _build(manifest, tmp_path / "c")
    path.with_suffix(".away").rename(path)
    original = module.atomic_path

    def killed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "atomic_path", killed)
    with pytest.raises(KeyboardInterrupt):
        _build(manifest, tmp_path / "c")
    monkeypatch.setattr(module, "atomic_path", original)
    assert json.loads(next((tmp_path / "c").glob("*.json")).read_text())["faults"].keys() == {"3"}
    cache = _build(manifest, tmp_path / "c")
    assert (cache.faults, np.array_equal(cache.images, whole)) == ({}, True)


def test_a_file_that_grew_huge_is_a_fault(manifest, tmp_path):
    with (manifest.root / "Images" / "id_000.jpg").open("wb") as stream:
        stream.truncate(30_000_000_000)
    assert "id_000.jpg has 30,000,000,000 bytes, more than" in _build(manifest, tmp_path / "c").faults[0]


def test_a_damaged_file_that_is_the_imported_one_is_a_fault(manifest, tmp_path):
    path = manifest.root / "Images" / "id_000.jpg"
    truncate(path)
    manifest.table.loc[0, "sha256"] = module.hashlib.sha256(path.read_bytes()).hexdigest()
    assert _build(manifest, tmp_path / "c").faults[0].startswith("id_000 (rgb): Images/id_000.jpg cannot be decoded")


def test_not_one_image(manifest, tmp_path):
    moved = dataclasses.replace(manifest, root=tmp_path / "elsewhere")
    with pytest.raises(
        InputError, match=r"No image of .*elsewhere can be decoded; the first: id_000 \(rgb\): .* in its place"
    ):
        _build(moved, tmp_path / "c")
    assert len(_build(manifest, tmp_path / "c").images) == 22


def test_a_killed_build_is_taken_up_where_it_stopped(manifest, tmp_path, monkeypatch):
    whole = np.array(_build(manifest, tmp_path / "whole").images)
    original, decoded = module.decode_image, []

    def interrupted(content, name, **options):
        if len(decoded) >= 9:
            raise KeyboardInterrupt
        decoded.append(name)
        return original(content, name, **options)

    monkeypatch.setattr(module, "decode_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _build(manifest, tmp_path / "c")
    assert sorted(p.suffix for p in (tmp_path / "c").iterdir()) == [".done", ".lock", ".part"]
    again = []
    monkeypatch.setattr(module, "decode_image", lambda c, n, **o: again.append(n) or original(c, n, **o))
    cache = _build(manifest, tmp_path / "c")
    assert np.array_equal(cache.images, whole)
    assert len(again) == 22 - len(decoded)
    assert set(again).isdisjoint(decoded)
    assert sorted(p.suffix for p in (tmp_path / "c").iterdir()) == [".json", ".lock", ".npy"]


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"[1]"])
def test_a_damaged_cache_is_made_anew(manifest, tmp_path, suffix, content):
    good = np.array(_build(manifest, tmp_path / "c").images)
    next((tmp_path / "c").glob(f"*{suffix}")).write_bytes(content)
    assert np.array_equal(_build(manifest, tmp_path / "c").images, good)
    assert json.loads(next((tmp_path / "c").glob("*.json")).read_text())["size"] == [8, 10]


@pytest.mark.parametrize("note", [b"", b"nonsense"])
def test_a_damaged_leftover_is_thrown_away(manifest, tmp_path, note):
    good = np.array(_build(manifest, tmp_path / "c").images)
    path = next((tmp_path / "c").glob("*.npy"))
    path.with_suffix(".json").unlink()
    path.rename(path.with_suffix(".part"))
    path.with_suffix(".done").write_bytes(note)
    assert np.array_equal(_build(manifest, tmp_path / "c").images, good)


def test_two_builders_at_once_decode_once(manifest, tmp_path, monkeypatch):
    original, decoded, caches = module.decode_image, [], []
    monkeypatch.setattr(module, "decode_image", lambda c, n, **o: decoded.append(n) or original(c, n, **o))
    threads = [threading.Thread(target=lambda: caches.append(_build(manifest, tmp_path / "c"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 22
    assert np.array_equal(caches[0].images, caches[2].images)


def test_no_rows(manifest, tmp_path):
    empty = dataclasses.replace(manifest, table=manifest.table.iloc[:0])
    for _ in range(2):
        assert _build(empty, tmp_path / "c").images.shape == (0, 8, 10, 3)


def test_pair_rows_point_at_the_manifest(manifest):
    table = manifest.table.drop(index=[3, 4])  # rgnir of id_001, rgb of id_002
    ids, rows = pair_rows(table, ("rgb", "rgnir"))
    assert ids[:4] == ["id_000", "id_001", "id_002", "id_003"]
    assert rows[:4].tolist() == [[0, 1], [2, -1], [-1, 5], [6, 7]]
    assert rows.dtype == np.int64
    for pair_id, row in zip(ids, rows, strict=True):
        for sensor, position in zip(("rgb", "rgnir"), row, strict=True):
            if position >= 0:
                assert manifest.table.loc[position, ["pair_id", "sensor"]].tolist() == [pair_id, sensor]
    assert pair_rows(table, ("rgnir", "swir"))[1][0].tolist() == [1, -1]
    assert pair_rows(table[table["split"] == "test"], ("rgb",))[1].tolist() == [[18], [20]]
