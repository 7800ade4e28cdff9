from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rice_ssl.data.folder import import_folder
from rice_ssl.data.manifest import Manifest
from rice_ssl.errors import InputError
from rice_ssl.sensors import sensor_from_pattern
from tests.data.fake_images import picture

SEED_PAIRS = Path(__file__).parents[3] / "shared" / "seed" / "pairs"


def _import(root: Path, labels: Path | None = None, *, patterns: dict[str, str] | None = None, **options) -> Manifest:
    given = patterns or {"rgb": "{id}.png", "rgnir": "{id}_rgn.png"}
    sensors = [sensor_from_pattern(name, pattern) for name, pattern in given.items()]
    return import_folder(root, sensors, labels, progress=False, **options)


def _write(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(seed + 50 * len(name)).save(path)
    return root


def _found(manifest: Manifest) -> list[tuple[str, str, str]]:
    return list(manifest.table[["pair_id", "sensor", "path"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_belongs_to_the_most_specific_pattern(tmp_path, order):
    _write(tmp_path, "a.png", "a_rgn.png", "b.png", "c_rgn.png", "notes.jpg")
    patterns = dict(list({"rgb": "{id}.png", "rgnir": "{id}_rgn.png"}.items())[::order])
    manifest = _import(tmp_path, patterns=patterns)
    assert sorted(_found(manifest)) == [
        ("a", "rgb", "a.png"), ("a", "rgnir", "a_rgn.png"), ("b", "rgb", "b.png"), ("c", "rgnir", "c_rgn.png"),
    ]  # fmt: skip
    told = manifest.findings[["kind", "pair_id", "sensor"]].itertuples(index=False, name=None)
    assert sorted(told) == [("missing_twin", "b", "rgnir"), ("missing_twin", "c", "rgb")]
    assert set(manifest.table["split"]) == {"train"}
    assert set(manifest.table["fold"]) == {-1}
    assert manifest.classes == ()


def test_three_cameras_in_folders_with_odd_names(tmp_path):
    _write(tmp_path, "x [1]/a.tif", "y/a.jpg", "a/swir.png", "y/deeper/b.jpg")
    manifest = _import(tmp_path, patterns={"rgb": "x [1]/{id}.tif", "nir": "y/{id}.jpg", "swir": "./{id}/swir.png"})
    assert _found(manifest) == [("a", "rgb", "x [1]/a.tif"), ("a", "nir", "y/a.jpg"), ("a", "swir", "a/swir.png")]
    assert [sensor.bands[0] for sensor in manifest.sensors] == ["red", "band 1", "band 1"]


def test_labels_groups_and_held_out_pairs(tmp_path):
    names = [f"p{k}" for k in range(12)]
    _write(tmp_path / "d", *(f"{name}{suffix}.png" for name in names for suffix in ("", "_rgn")))
    labels = tmp_path / "labels.csv"
    rows = [f"{name},{'ab'[k % 2]},g{k // 2},{'TEST' if k > 9 else ''}" for k, name in enumerate(names[:11])]
    extra = ["p0,b,g0,", "gone,a,g9,", "../p1,a,g0,", "p2,a,g5,val"]
    labels.write_text("\n".join(["Pair_id,label,Group,Split", *rows, *extra]) + "\n")
    manifest = _import(tmp_path / "d", labels, folds=2)
    pairs = manifest.table.drop_duplicates("pair_id").set_index("pair_id")
    assert manifest.classes == ("a", "b")
    assert pd.isna(pairs.loc["p0", "label"])
    assert (pairs.loc["p0", "split"], pairs.loc["p0", "fold"]) == (pairs.loc["p1", "split"], -1)  # of one group
    assert (pairs.loc["p10", "label"], pairs.loc["p10", "split"], pairs.loc["p10", "fold"]) == ("a", "test", -1)
    assert (pairs.loc["p11", "split"], pairs.loc["p11", "fold"], pairs.loc["p11", "group"]) == ("train", -1, "p11")
    inner = pairs.loc[[f"p{k}" for k in range(1, 10)]]
    assert inner["group"].tolist() == ["g0", "g1", "g1", "g2", "g2", "g3", "g3", "g4", "g4"]
    assert (inner.groupby("group")["split"].nunique() == 1).all()
    assert set(inner["split"]) == {"train", "val"}
    told = manifest.findings.drop_duplicates("kind").set_index("kind")["pair_id"].to_dict()
    assert told == {
        "unsafe_id": "../p1", "conflicting_labels": "p0", "unknown_split": "p2", "conflicting_sites": "p2",
        "missing_file": "gone",
    }  # fmt: skip


def test_hostile_file_names_are_refused(tmp_path):
    _write(tmp_path, "a.png", "a_rgn.png", "b c.png", "x..y.png", "line\nbreak.png", "é.png")
    (tmp_path / ".hidden.png").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "folder.png").mkdir()
    manifest = _import(tmp_path)
    assert [row[0] for row in _found(manifest)] == ["a", "a"]
    assert manifest.findings["kind"].tolist() == ["unsafe_id"] * 5
    assert not manifest.findings["pair_id"].str.contains("\n").any()


def test_a_link_out_of_the_folder_is_not_read(tmp_path):
    _write(tmp_path / "d", "a.png", "a_rgn.png")
    _write(tmp_path, "secret.png")
    (tmp_path / "d" / "b.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "d" / "c.png").symlink_to(tmp_path / "nowhere.png")
    manifest = _import(tmp_path / "d")
    assert manifest.findings[["kind", "pair_id"]].to_numpy().tolist() == [["unsafe_path", "b"], ["missing_file", "c"]]


def test_a_folder_that_a_pattern_names_may_be_a_link(tmp_path):
    _write(tmp_path / "disk", "a.png", "b.png")
    _write(tmp_path / "d", "x/a_rgn.png", "x/b_rgn.png")
    _write(tmp_path, "secret.png")
    (tmp_path / "d" / "rgb").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "b.png").unlink()
    (tmp_path / "disk" / "b.png").symlink_to(tmp_path / "secret.png")
    manifest = _import(tmp_path / "d", patterns={"rgb": "rgb/{id}.png", "rgnir": "x/{id}_rgn.png"})
    assert _found(manifest) == [("a", "rgb", "rgb/a.png"), ("a", "rgnir", "x/a_rgn.png"), ("b", "rgnir", "x/b_rgn.png")]
    assert manifest.findings["kind"].tolist() == ["unsafe_path", "missing_twin"]


@pytest.mark.parametrize("pattern", ["../{id}.png", "/etc/{id}.png", "a/../../{id}.png", "..\\{id}.png", "{id}\0.png"])
def test_patterns_that_lead_out_are_refused(tmp_path, pattern):
    _write(tmp_path, "a.png")
    with pytest.raises(InputError, match="leads out of the folder: give one below it"):
        _import(tmp_path, patterns={"rgb": pattern})


def test_what_cannot_be_imported_gets_one_sentence(tmp_path):
    _write(tmp_path, "a.png")
    with pytest.raises(InputError, match="nowhere is no folder"):
        _import(tmp_path / "nowhere")
    with pytest.raises(
        InputError, match=r"No file of .* fits \{id\}.tif, \{id\}_x.tif: check the folder and the patterns"
    ):
        _import(tmp_path, patterns={"rgb": "{id}.tif", "nir": "{id}_x.tif"})
    with pytest.raises(InputError, match="are not all different: give each sensor one of its own"):
        _import(tmp_path, patterns={"rgb": "{id}.png", "nir": "{id}.png"})
    with pytest.raises(InputError, match="are not all different: give each a name of its own"):
        import_folder(tmp_path, [sensor_from_pattern("rgb", "{id}.png"), sensor_from_pattern("rgb", "{id}_x.png")])
    with pytest.raises(InputError, match="No sensor was given"):
        import_folder(tmp_path, [])
    with pytest.raises(InputError, match="labels.csv is missing: put a CSV with the columns pair_id, label there"):
        _import(tmp_path, tmp_path / "labels.csv")
    with pytest.raises(InputError, match="validation_fold is 7"):
        _import(tmp_path, validation_fold=7)


@pytest.mark.skipif(not SEED_PAIRS.is_dir(), reason=f"{SEED_PAIRS} is not on this machine")
def test_the_nine_real_pairs():
    manifest = _import(SEED_PAIRS)
    assert len(manifest.table) == 18
    assert sorted(set(manifest.table["pair_id"])) == [f"seed{k}" for k in range(9)]
    assert manifest.findings.empty
    assert set(manifest.table["split"]) == {"train"}
