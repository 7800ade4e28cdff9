from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rice_ssl.artifacts import TABLES, sha256_file
from rice_ssl.data.manifest import Manifest
from rice_ssl.data.zindi import import_zindi
from rice_ssl.errors import InputError
from tests.data.fake_images import CLASSES, append, bomb_png, picture, truncate, write_zindi

SHARED = Path(__file__).parents[3] / "shared" / "data"


def _import(root: Path, **options: object) -> Manifest:
    return import_zindi(root, progress=False, **options)


def _kinds(manifest: Manifest) -> dict[str, int]:
    return manifest.findings["kind"].value_counts().to_dict()


def _rows(manifest: Manifest, pair_id: str) -> list[tuple[str, object, str, int]]:
    rows = manifest.table[manifest.table["pair_id"] == pair_id]
    return [(r.sensor, None if pd.isna(r.label) else r.label, r.split, r.fold) for r in rows.itertuples()]


def _invariants(manifest: Manifest) -> None:
    table = manifest.table
    assert list(table.columns) == list(TABLES["manifest"].columns)
    assert table.index.tolist() == list(range(len(table)))
    assert not table.duplicated(["pair_id", "sensor"]).any()
    for column in ("split", "fold", "group"):
        assert (table.groupby("pair_id")[column].nunique() == 1).all()
    inner = table[table["fold"] >= 0]
    assert (inner.groupby("group")["fold"].nunique() <= 1).all()
    assert set(inner["split"]) <= {"train", "val"}
    assert inner["label"].notna().all()


def test_a_sound_folder(tmp_path):
    root = write_zindi(tmp_path, train=15, test=4)
    manifest = _import(root)
    _invariants(manifest)
    assert len(manifest.table) == 38
    assert manifest.findings.empty
    assert manifest.classes == ("blast", "brown", "healthy")
    assert [sensor.name for sensor in manifest.sensors] == ["rgb", "rgnir"]
    assert (manifest.source, manifest.simulated, manifest.root) == ("zindi", False, root)
    assert manifest.table.drop_duplicates("pair_id")["split"].value_counts().to_dict() == {
        "train": 12,
        "test": 4,
        "val": 3,
    }
    first = manifest.table.iloc[1]
    assert first[["pair_id", "sensor", "path", "label", "group"]].tolist() == [
        "id_000", "rgnir", "Images/id_000_rgn.jpg", "blast", "id_000",
    ]  # fmt: skip
    assert (first["width"], first["height"]) == (20, 16)
    assert first["sha256"] == sha256_file(root / "Images" / "id_000_rgn.jpg")
    val = manifest.table[manifest.table["split"] == "val"].drop_duplicates("pair_id")
    assert sorted(val["label"]) == ["blast", "brown", "healthy"]
    assert (val["fold"] == 0).all()


def test_validation_fold_and_seed_choose_the_split(tmp_path):
    root = write_zindi(tmp_path, train=15)
    first, second, third = _import(root), _import(root, validation_fold=3), _import(root, seed=1)
    assert first.table["fold"].equals(second.table["fold"])
    assert set(second.table.loc[second.table["split"] == "val", "fold"]) == {3}
    assert not first.table["fold"].equals(third.table["fold"])
    pd.testing.assert_frame_equal(first.table, _import(root).table)


def test_lower_case_folder_no_test_table_no_sample(tmp_path):
    root = write_zindi(tmp_path, train=9, test=0, folder="images")
    (root / "Test.csv").unlink()
    (root / "SampleSubmission.csv").unlink()
    manifest = _import(root, folds=3)
    assert manifest.classes == ("blast", "brown", "healthy")
    assert manifest.table["path"].iloc[0] == "images/id_000.jpg"
    assert set(manifest.table["split"]) == {"train", "val"}


def test_other_classes_come_from_the_sample_in_its_order(tmp_path):
    root = write_zindi(tmp_path, train=9)
    for name in ("Train.csv", "SampleSubmission.csv"):
        text = (root / name).read_text()
        (root / name).write_text(text.replace("healthy", "medium").replace("brown", "sparse").replace("blast", "dense"))
    assert _import(root, folds=3).classes == ("dense", "sparse", "medium")


def test_damaged_and_missing_files_are_found_one_by_one(tmp_path):
    root = write_zindi(tmp_path, train=12)
    images = root / "Images"
    (images / "id_000_rgn.jpg").unlink()
    truncate(images / "id_001.jpg")
    (images / "id_002.jpg").write_text("I am a text")
    (images / "id_003.jpg").write_bytes(bomb_png())
    (images / "id_004.jpg").write_bytes(b"")
    (images / "id_005.jpg").unlink()
    (images / "id_005.jpg").mkdir()
    (images / "id_006.jpg").unlink()
    (images / "id_006_rgn.jpg").unlink()
    manifest = _import(root, folds=3)
    _invariants(manifest)
    assert _kinds(manifest) == {"missing_twin": 6, "missing_file": 4, "unreadable": 4}
    found = manifest.findings.set_index(["kind", "pair_id", "sensor"])["detail"]
    assert found["missing_file", "id_000", "rgnir"] == "Images/id_000_rgn.jpg is listed, but there is no such file."
    assert found["missing_twin", "id_000", "rgnir"] == "id_000 has no rgnir image to go with it."
    assert "cannot be decoded" in found["unreadable", "id_001", "rgb"]
    assert "is none of JPEG" in found["unreadable", "id_002", "rgb"]
    assert "exceeds limit" in found["unreadable", "id_003", "rgb"]
    assert _rows(manifest, "id_001")[0][:2] == ("rgnir", "brown")
    assert "id_006" not in set(manifest.table["pair_id"])


def test_labels_that_conflict_or_are_unknown_leave_the_images_for_pretraining(tmp_path):
    root = write_zindi(tmp_path, train=12)
    text = (root / "Train.csv").read_text()
    text = text.replace("id_000_rgn.jpg,blast", "id_000_rgn.jpg,brown")
    text = text.replace("id_001.jpg,brown", "id_001.jpg,rust").replace("id_001_rgn.jpg,brown", "id_001_rgn.jpg,")
    text = text.replace("id_002.jpg,healthy", "id_002.jpg,")
    (root / "Train.csv").write_text(text)
    manifest = _import(root, folds=3)
    _invariants(manifest)
    assert _kinds(manifest) == {"unknown_label": 3, "conflicting_labels": 1}
    details = manifest.findings["detail"].tolist()
    assert "id_001.jpg has the label 'rust', which is none of blast, brown, healthy; it is kept without one." in details
    assert "id_000 is labelled blast and brown; it is kept without a label, for pretraining alone." in details
    for pair_id in ("id_000", "id_001"):
        assert _rows(manifest, pair_id) == [("rgb", None, "train", -1), ("rgnir", None, "train", -1)]
    assert _rows(manifest, "id_002")[0][1] == "healthy"


HOSTILE = [
    "../../etc/passwd", "../../etc/passwd.jpg", "/etc/passwd.jpg", "..jpg", ".jpg", "_rgn.jpg", "....jpg", 
    ".hidden.jpg", "a/b.jpg", "a\\b.jpg", "leaf.png", "a b.jpg", "x" * 200 + ".jpg", "é.jpg", "=cmd|calc.jpg", "http://x/y.jpg",
]  # fmt: skip


def test_ids_that_could_leave_the_folder_are_refused(tmp_path):
    root = write_zindi(tmp_path / "d", train=9)
    picture(99).save(tmp_path / "secret.jpg")
    append(root / "Train.csv", *(f'"{name}",blast' for name in ["../secret.jpg", "../../secret.jpg", *HOSTILE]))
    append(root / "Test.csv", "../Images/id_000.jpg")
    manifest = _import(root, folds=3)
    assert _kinds(manifest) == {"unsafe_id": len(HOSTILE) + 3}
    assert manifest.findings["pair_id"].str.len().max() <= 80
    assert manifest.table["pair_id"].str.fullmatch(r"id_\d{3}").all()


def test_links_that_lead_out_are_refused_and_links_within_are_not(tmp_path):
    root = write_zindi(tmp_path / "d", train=9)
    picture(99).save(tmp_path / "secret.jpg")
    (root / "Images" / "id_000.jpg").unlink()
    (root / "Images" / "id_000.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "Images" / "id_001.jpg").rename(root / "kept.jpg")
    (root / "Images" / "id_001.jpg").symlink_to(root / "kept.jpg")
    (root / "Images" / "id_002.jpg").unlink()
    (root / "Images" / "id_002.jpg").symlink_to(root / "Images" / "id_002.jpg")
    manifest = _import(root, folds=3)
    found = manifest.findings.set_index(["kind", "pair_id"])["detail"]
    assert found["unsafe_path", "id_000"].startswith("Images/id_000.jpg leads out of the folder through a link")
    assert "id_001" not in set(manifest.findings["pair_id"])
    assert _kinds(manifest)["missing_twin"] == 2
    assert ("missing_file", "id_002") in found or ("unreadable", "id_002") in found


def test_repeated_rows_and_rows_in_both_tables(tmp_path):
    root = write_zindi(tmp_path, train=12, test=4)
    append(root / "Train.csv", "id_000.jpg,blast", "id_012.jpg,blast")
    append(root / "Test.csv", "id_013.jpg")
    manifest = _import(root, folds=3)
    assert _kinds(manifest) == {"repeated_row": 2, "in_both_tables": 1}
    assert manifest.findings["detail"].iloc[0] == "id_000.jpg is listed more than once in Train.csv."
    assert _rows(manifest, "id_012") == [("rgb", None, "test", -1), ("rgnir", None, "test", -1)]
    assert len(manifest.table) == 32


def test_duplicates_share_a_group_and_are_told_across_splits_and_labels(tmp_path):
    root = write_zindi(tmp_path, train=15, test=4)
    images = root / "Images"
    (images / "id_003.jpg").write_bytes((images / "id_000.jpg").read_bytes())  # both blast
    picture(1, (160, 128)).save(images / "id_004_rgn.jpg", quality=90)
    picture(1, (160, 128)).save(images / "id_005_rgn.jpg", quality=80)  # brown and healthy
    (images / "id_017.jpg").write_bytes((images / "id_006.jpg").read_bytes())  # a test pair
    manifest = _import(root)
    _invariants(manifest)
    assert _kinds(manifest) == {
        "exact_duplicate": 4, "near_duplicate": 2, "duplicate_across_splits": 1, "duplicate_labels_differ": 2,
    }  # fmt: skip
    group = manifest.table.drop_duplicates("pair_id").set_index("pair_id")["group"]
    assert group["id_003"] == group["id_000"] == "id_000"
    assert group["id_004"] == group["id_005"]
    assert group["id_017"] == group["id_006"]
    assert group.nunique() == 19 - 3
    clusters = manifest.findings.groupby("cluster")["pair_id"].agg(lambda ids: sorted(set(ids)))
    assert clusters.tolist() == [["id_000", "id_003"], ["id_006", "id_017"], ["id_004", "id_005"]]
    across = manifest.findings[manifest.findings["kind"] == "duplicate_across_splits"].iloc[0]
    assert across["detail"] == "id_006 shares an image (exact duplicate) with test pair id_017."


def test_sites_stay_together_for_any_seed(tmp_path):
    root = write_zindi(tmp_path, train=24, test=2)
    lines = [f"id_{k:03d},s{k % 8},x" for k in range(24)]
    (root / "groups.csv").write_text(
        "\n".join(["pair_id,Site,city", *lines, "id_000,elsewhere,x", "id_024,s7,x"]) + "\n"
    )
    for seed in range(5):
        manifest = _import(root, folds=4, seed=seed)
        _invariants(manifest)
        inner = manifest.table[manifest.table["fold"] >= 0]
        assert set(inner["group"]) == {f"s{k}" for k in range(8)}
    assert _kinds(manifest) == {"conflicting_sites": 1, "site_across_splits": 3}
    (root / "groups.csv").write_text("pair_id,city\nid_000,x\n")
    with pytest.raises(InputError, match="lacks a column 'site' or 'group'"):
        _import(root)


def test_groups_name_pairs_by_their_images_and_strangers_are_told(tmp_path):
    root = write_zindi(tmp_path, train=12, test=2)
    lines = [f"id_{k:03d}{('', '.jpg', '_rgn.jpg')[k % 3]},s{k % 4}" for k in range(12)]
    strangers = ["id_777,s9", "../id_000,s9", "id_777,s9", ",s9"]
    (root / "groups.csv").write_text("\n".join(["pair_id,site", *lines, *strangers]) + "\n")
    manifest = _import(root, folds=4)
    _invariants(manifest)
    assert set(manifest.table.loc[manifest.table["fold"] >= 0, "group"]) == {"s0", "s1", "s2", "s3"}
    assert _kinds(manifest) == {"unknown_pair": 4}
    assert manifest.findings["pair_id"].tolist() == ["id_777", "../id_000", "id_777", ""]
    assert manifest.findings["detail"].iloc[0] == (
        "groups.csv names 'id_777', a pair that neither Train.csv nor Test.csv lists."
    )


def test_a_twin_that_the_tables_forget_is_taken_from_the_folder(tmp_path):
    root = write_zindi(tmp_path / "d", train=12, test=4)
    for name in ("Train.csv", "Test.csv"):
        kept = [line for line in (root / name).read_text().splitlines() if "_rgn" not in line]
        (root / name).write_text("\n".join(kept) + "\n")
    images = root / "Images"
    (images / "id_000_rgn.jpg").unlink()
    picture(99).save(tmp_path / "secret.jpg")
    (images / "id_001_rgn.jpg").unlink()
    (images / "id_001_rgn.jpg").symlink_to(tmp_path / "secret.jpg")
    (images / "id_002.jpg").rename(images / "id_002.JPG")
    (images / "id_002_rgn.jpg").rename(images / "id_002_rgn.JPG")
    (root / "Train.csv").write_text((root / "Train.csv").read_text().replace("id_002.jpg", "id_002.JPG"))
    append(root / "Test.csv", "../secret.jpg")
    manifest = _import(root, folds=3)
    _invariants(manifest)
    assert _kinds(manifest) == {"twin_not_listed": 15, "missing_twin": 2, "unsafe_path": 1, "unsafe_id": 1}
    assert _rows(manifest, "id_000") == [("rgb", "blast", *_rows(manifest, "id_000")[0][2:])]
    assert [row[0] for row in _rows(manifest, "id_001")] == ["rgb"]
    assert [row[:2] for row in _rows(manifest, "id_002")] == [("rgb", "healthy"), ("rgnir", "healthy")]
    assert _rows(manifest, "id_012") == [("rgb", None, "test", -1), ("rgnir", None, "test", -1)]
    found = manifest.findings.set_index(["kind", "pair_id"])["detail"]
    assert found["twin_not_listed", "id_012"] == (
        "Test.csv lists id_012.jpg, but not its twin id_012_rgn.jpg in Images: both belong to the pair."
    )
    assert found["missing_twin", "id_000"] == "id_000 has no rgnir image to go with it."


def test_the_image_folder_may_be_a_link_but_its_files_may_not_leave_it(tmp_path):
    root = write_zindi(tmp_path / "d", train=9)
    (root / "Images").rename(tmp_path / "disk")
    (root / "Images").symlink_to(tmp_path / "disk")
    assert _import(root, folds=3).findings.empty
    picture(99).save(tmp_path / "secret.jpg")
    (tmp_path / "disk" / "id_000.jpg").unlink()
    (tmp_path / "disk" / "id_000.jpg").symlink_to(tmp_path / "secret.jpg")
    manifest = _import(root, folds=3)
    assert _kinds(manifest) == {"unsafe_path": 1, "missing_twin": 1}
    assert _rows(manifest, "id_000")[0][0] == "rgnir"


def test_unlabelled_pairs_of_a_validating_group_are_not_pretrained_on(tmp_path):
    root = write_zindi(tmp_path, train=24, test=2)
    text = (root / "Train.csv").read_text()
    for k in range(12, 24):
        text = text.replace(f"id_{k:03d}.jpg,{CLASSES[k % 3]}", f"id_{k:03d}.jpg,")
        text = text.replace(f"id_{k:03d}_rgn.jpg,{CLASSES[k % 3]}", f"id_{k:03d}_rgn.jpg,")
    (root / "Train.csv").write_text(text)
    (root / "groups.csv").write_text("pair_id,site\n" + "".join(f"id_{k:03d},s{k % 6}\n" for k in range(23)))
    manifest = _import(root, folds=3)
    _invariants(manifest)
    pairs = manifest.table.drop_duplicates("pair_id").set_index("pair_id")
    assert (pairs.groupby("group")["split"].nunique() == 1).all()
    lacking = pairs[pairs["label"].isna() & (pairs["split"] != "test")]
    assert (lacking["fold"] == -1).all()
    assert set(lacking["split"]) == {"train", "val"}
    assert pairs.loc["id_023", "split"] == "train"  # of no group that validates


def test_labels_of_test_pairs(tmp_path):
    root = write_zindi(tmp_path, train=12, test=3)
    labels = tmp_path / "truth.csv"
    labels.write_text("pair_id,label\nid_012,blast\nid_013,brown\nid_013,blast\nid_000,healthy\nid_999,blast\n")
    manifest = _import(root, folds=3, test_labels=labels)
    _invariants(manifest)
    assert _rows(manifest, "id_012") == [("rgb", "blast", "test", -1), ("rgnir", "blast", "test", -1)]
    assert _rows(manifest, "id_013")[0] == ("rgb", None, "test", -1)
    assert _rows(manifest, "id_000")[0][1] == "blast"
    assert _kinds(manifest) == {"conflicting_labels": 1, "unknown_pair": 1}
    labels.write_text("pair_id,label\nid_012.jpg,blast\nid_013_rgn.JPG,brown\nid_014,healthy\nid_014.png,healthy\n")
    manifest = _import(root, folds=3, test_labels=labels)
    assert [_rows(manifest, f"id_01{k}")[0][1] for k in (2, 3, 4)] == ["blast", "brown", "healthy"]
    assert manifest.findings[["kind", "pair_id", "detail"]].to_numpy().tolist() == [
        [
            "unknown_pair",
            "id_014.png",
            "truth.csv names 'id_014.png', a pair that neither Train.csv nor Test.csv lists.",
        ]
    ]
    labels.write_text("pair_id,label\nid_012,rust\n")
    with pytest.raises(InputError, match="labels id_012 as 'rust', which is none of blast, brown, healthy"):
        _import(root, test_labels=labels)


def test_simulated_data_say_so(tmp_path):
    root = write_zindi(tmp_path, train=6, test=0)
    for content, simulated in (('{"simulated": true}', True), ("{}", False), ("[1]", False), ("nonsense", False)):
        (root / "SIMULATED.json").write_text(content)
        assert _import(root, folds=2).simulated is simulated


def test_one_sensor_is_a_fact_not_a_fault(tmp_path):
    manifest = _import(write_zindi(tmp_path, train=9, test=3, sensors=("",)), folds=3)
    _invariants(manifest)
    assert [sensor.name for sensor in manifest.sensors] == ["rgb"]
    assert _kinds(manifest) == {"missing_twin": 12}


@pytest.mark.parametrize(("train", "groups"), [(1, 1), (2, 2), (3, 3), (5, 5)])
def test_a_handful_of_pairs(tmp_path, train, groups):
    manifest = _import(write_zindi(tmp_path, train=train, test=1))
    _invariants(manifest)
    kinds = _kinds(manifest)
    assert kinds.get("fewer_folds", 0) == (groups < 5)
    val = manifest.table.drop_duplicates("pair_id")["split"].value_counts().get("val", 0)
    assert val == (0 if groups == 1 else 1)
    assert kinds["class_missing"] >= 2


def test_one_class_and_one_site(tmp_path):
    root = write_zindi(tmp_path, train=6, test=0)
    text = (root / "Train.csv").read_text().replace("brown", "blast").replace("healthy", "blast")
    (root / "Train.csv").write_text(text)
    manifest = _import(root, folds=3)
    assert manifest.findings["detail"].tolist() == [
        "No pair labelled brown is in the split train or val.",
        "No pair labelled healthy is in the split train or val.",
    ]  # fmt: skip
    (root / "groups.csv").write_text("pair_id,site\n" + "".join(f"id_{k:03d},one\n" for k in range(6)))
    manifest = _import(root, folds=3)
    assert "form one group: all of them train, none validates" in manifest.findings["detail"].iloc[0]
    assert set(manifest.table["split"]) == {"train"}
    assert set(manifest.table["fold"]) == {0}


def test_no_labels_at_all(tmp_path):
    root = write_zindi(tmp_path, train=3, test=1)
    (root / "SampleSubmission.csv").unlink()
    (root / "Train.csv").write_text("Image_id,Label\n")
    manifest = _import(root)
    assert manifest.classes == ()
    assert manifest.table["split"].tolist() == ["test", "test"]


def test_what_cannot_be_imported_gets_one_sentence(tmp_path):
    with pytest.raises(InputError, match="nowhere is no folder"):
        _import(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no folder Images \(or images\): unzip Images.zip there"):
        _import(tmp_path)
    root = write_zindi(tmp_path / "d")
    for options, message in (
        ({"folds": 1}, "folds is 1"),
        ({"validation_fold": 5}, "validation_fold is 5: give 0 to 4"),
    ):
        with pytest.raises(InputError, match=message):
            _import(root, **options)
    for path in (root / "Images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        InputError, match=r"No image of .* can be read \(32 were expected; the first: Images/id_000.jpg cannot"
    ):
        _import(root)
    (root / "Train.csv").unlink()
    with pytest.raises(InputError, match="Train.csv is missing"):
        _import(root)


def test_random_tables_never_end_in_a_traceback(tmp_path):
    """150 mutations of Train.csv: a manifest that keeps its promises, or an InputError of one line."""
    root = write_zindi(tmp_path, train=6, test=2)
    good = np.frombuffer((root / "Train.csv").read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(0)
    refused = []
    for _ in range(150):
        bad = good.copy()
        where = rng.integers(0, len(bad), rng.integers(1, 6))
        bad[where] = rng.choice(np.frombuffer(b",\n\r\"';\t\0\xff/.\\ Aa_", dtype=np.uint8), len(where))
        (root / "Train.csv").write_bytes(bad.tobytes())
        try:
            _invariants(_import(root, folds=2))
        except InputError as error:
            refused.append(str(error))
    assert 0 < len(refused) < 150
    assert not any("\n" in message for message in refused)


@pytest.mark.skipif(not (SHARED / "rice-leaves-rgb").is_dir(), reason=f"{SHARED} is not on this machine")
def test_real_rice_leaves_of_one_sensor():
    manifest = _import(SHARED / "rice-leaves-rgb")
    _invariants(manifest)
    twins = manifest.findings[manifest.findings["kind"] == "missing_twin"]["pair_id"]
    test = manifest.table.loc[manifest.table["pair_id"].isin(twins), "split"] == "test"
    assert ((~test).sum(), test.sum()) == (1617, 635)


@pytest.mark.skipif(not (SHARED / "urban-trees").is_dir(), reason=f"{SHARED} is not on this machine")
def test_real_pairs_of_two_sensors():
    manifest = _import(SHARED / "urban-trees")
    _invariants(manifest)
    assert manifest.findings.empty
    assert manifest.table.drop_duplicates("pair_id")["split"].value_counts()["test"] == 491
    assert manifest.classes == ("dense", "medium", "sparse")
    sites = pd.read_csv(SHARED / "urban-trees" / "groups.csv").set_index("pair_id")["site"]
    given = manifest.table[manifest.table["fold"] >= 0]
    assert given["pair_id"].map(sites).tolist() == given["group"].tolist()
