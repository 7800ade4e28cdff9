from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

from pipelines.import_images import run_import_folder, run_import_zindi
from rice_ssl.data.manifest import read_manifest
from rice_ssl.errors import InputError
from rice_ssl.sensors import sensor_from_pattern
from tests.data.fake_images import picture, write_zindi


def test_zindi_to_a_manifest_folder(tmp_path):
    root = write_zindi(tmp_path / "d", train=15, test=4)
    images = root / "Images"
    (images / "id_001_rgn.jpg").unlink()
    (images / "id_016_rgn.jpg").write_text("text")
    (images / "id_003.jpg").write_bytes((images / "id_000.jpg").read_bytes())
    summary = run_import_zindi(root, tmp_path / "m", findings_csv=tmp_path / "findings.csv", progress=False)
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "dataset.json",
        "findings.parquet",
        "manifest.parquet",
    ]
    train, val = summary.pairs["train"], summary.pairs["val"]
    assert (train + val, summary.pairs["test"]) == (15, 4)
    assert val in {3, 4}  # 4 where the group of two duplicates validates
    assert summary.images == {"rgb": 19, "rgnir": 17}
    assert summary.classes == {"blast": 5, "brown": 5, "healthy": 5}
    assert summary.without_twin == {"labelled": 1, "test": 1}
    assert summary.kinds == {"missing_twin": 2, "exact_duplicate": 2, "missing_file": 1, "unreadable": 1}
    assert summary.clusters == {"exact_duplicate": 1}
    assert summary.findings == 6 == len(pd.read_csv(tmp_path / "findings.csv"))
    assert json.loads(json.dumps(dataclasses.asdict(summary)))["findings"] == 6
    lines = summary.text().splitlines()
    assert lines[:3] == [
        f"19 pairs ({train} train, {val} val, 4 test); images: 19 rgb, 17 rgnir",
        "labels: 5 blast, 5 brown, 5 healthy",
        "pairs without a twin: 1 labelled + 1 test",
    ]
    assert "exact duplicate: 2 in 1 clusters, e.g. id_000 (rgb) is the same file as id_003 (rgb)." in lines
    assert lines[-1] == f"manifest: {(tmp_path / 'm').as_posix()} (all 6 findings in findings.parquet)"
    assert len(read_manifest(tmp_path / "m").table) == 36


def test_folder_to_a_manifest_folder(tmp_path):
    (tmp_path / "d").mkdir()
    for k in range(3):
        picture(k).save(tmp_path / "d" / f"leaf{k}.png")
        picture(10 + k).save(tmp_path / "d" / f"leaf{k}_rgn.png")
    sensors = [sensor_from_pattern("rgb", "{id}.png"), sensor_from_pattern("rgnir", "{id}_rgn.png")]
    summary = run_import_folder(tmp_path / "d", sensors, None, tmp_path / "m", progress=False)
    assert summary.text().splitlines() == [
        "3 pairs (3 train); images: 3 rgb, 3 rgnir",
        "labels: none",
        f"manifest: {(tmp_path / 'm').as_posix()} (no findings)",
    ]
    again = run_import_folder(tmp_path / "d", sensors, None, tmp_path / "m", progress=False)
    assert again == summary


def test_a_refused_import_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="holds no folder Images"):
        run_import_zindi(tmp_path, tmp_path / "m", progress=False)
    assert not (tmp_path / "m").exists()
