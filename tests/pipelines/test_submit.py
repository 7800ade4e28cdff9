"""``rice-ssl submit`` on a run of five test pairs whose probabilities are written by hand."""

import pandas as pd
import pytest

from pipelines.submit import run_submit
from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.run_config import parse_config
from rice_ssl.submission import clip_probabilities
from tests.fakes import SENSORS

CLASSES = ["blast", "brown", "healthy"]
TRAIN = {"t1": "blast", "t2": "blast", "t3": "brown", "t4": "healthy"}  # shares 1/2, 1/4, 1/4
BOTH = {"id_a": [0.7, 0.2, 0.1], "id_b": [0.0, 1.0, 0.0], "id_c": [0.2, 0.2, 0.6]}
SHARES = [0.5, 0.25, 0.25]


def begin(folder, test=("id_c", "id_a", "id_b"), train=TRAIN, judged=BOTH, **finetune):
    """A run: two pictures of every pair, and predictions of ``judged`` pairs, by both sensors and each."""
    images = folder / "images"
    images.mkdir()
    store = RunStore(folder / "run")
    store.create({"data_root": str(images), "classes": CLASSES, "sensors": SENSORS})
    pairs = [(pair, label, "train") for pair, label in train.items()] + [(pair, None, "test") for pair in test]
    rows = []
    for pair, label, split in pairs:
        for sensor, file in (("rgb", f"{pair}.jpg"), ("rgnir", f"{pair}_rgn.jpg")):
            rows.append((pair, sensor, f"Images/{file}", label, split, -1, "", 24, 24, "0"))
    store.write_table("manifest", pd.DataFrame(rows, columns=list(TABLES["manifest"].columns)))
    found = []
    for pair, values in judged.items():
        for sensor, chances in (("rgb", [1.0, 0.0, 0.0]), ("rgnir", [0.0, 0.0, 1.0]), ("both", values)):
            found.append((pair, sensor, chances, chances, "blast", None, "test", -1))
    store.write_table("predictions", pd.DataFrame(found, columns=list(TABLES["predictions"].columns)))
    content = {"name": "tiny", "run": str(store.root), "data": {"root": str(images)}, "finetune": finetune}
    return store, parse_config(content, "test")


def sample(folder, ids, columns=CLASSES, name="sample.csv"):
    path = folder / name
    path.write_text("\n".join([",".join(["Image_id", *columns]), *[f"{i}" + ",0" * len(columns) for i in ids]]) + "\n")
    return path


def read(path):
    return pd.read_csv(path).set_index("Image_id")


def assert_rows(table, expected):
    assert table.index.tolist() == list(expected)
    values = clip_probabilities(pd.DataFrame(expected).T.to_numpy())
    assert table[CLASSES].to_numpy() == pytest.approx(values, abs=1e-7)  # predictions are float32


def test_a_row_for_every_test_pair_from_both_sensors(tmp_path):
    store, config = begin(tmp_path)
    done = run_submit(store, config)
    table = read(store.root / "submission.csv")
    assert list(table.columns) == CLASSES
    assert_rows(table, {f"{pair}.jpg": BOTH[pair] for pair in ("id_a", "id_b", "id_c")})
    assert table.loc["id_b.jpg"].tolist() == pytest.approx([0.001, 0.998, 0.001])  # by hand, with a margin of 0.001
    assert (done.csv, done.rows) == ((store.root / "submission.csv").as_posix(), 3)
    assert (done.without_prediction, done.checked_against) == (0, None)
    assert (done.table, done.judge, done.from_one_image, done.not_asked) == ("predictions", "both", 0, 0)
    by = "by the run's classifier from all images of a pair"
    assert done.text() == f"{done.csv}: 3 rows {by}, no SampleSubmission.csv to check"


def test_a_sample_decides_about_rows_names_and_columns(tmp_path):
    store, config = begin(tmp_path)
    path = sample(tmp_path, ["id_c.png", "id_a.png"], ["healthy", "blast", "brown"])
    done = run_submit(store, config, sample=path, out=tmp_path / "deep" / "out.csv")
    table = read(tmp_path / "deep" / "out.csv")
    assert list(table.columns) == ["healthy", "blast", "brown"]
    assert_rows(table, {"id_c.png": BOTH["id_c"], "id_a.png": BOTH["id_a"]})
    by = "by the run's classifier from all images of a pair"
    left = "1 test pairs are not asked for and were left out"
    assert done.text() == f"{done.csv}: 2 rows {by}, checked against {path.as_posix()}; {left}"
    assert not (store.root / "submission.csv").exists()


def test_the_sample_beside_the_images_is_found_and_another_goes_first(tmp_path):
    store, config = begin(tmp_path)
    beside = sample(tmp_path / "images", ["id_b.jpg"], name="SampleSubmission.csv")
    assert run_submit(store, config).checked_against == beside.as_posix()
    assert read(store.root / "submission.csv").index.tolist() == ["id_b.jpg"]
    other = sample(tmp_path, ["id_a.jpg"])
    assert run_submit(store, config, sample=other).checked_against == other.as_posix()
    assert read(store.root / "submission.csv").index.tolist() == ["id_a.jpg"]


def test_ids_without_a_prediction_get_the_class_shares(tmp_path):
    """Pair d was never decoded; e is in the sample only."""
    store, config = begin(tmp_path, test=("id_a", "id_d"))
    done = run_submit(store, config)
    assert_rows(read(store.root / "submission.csv"), {"id_a.jpg": BOTH["id_a"], "id_d.jpg": SHARES})
    assert done.without_prediction == 1
    assert done.text().endswith("; 1 ids without a prediction got the class shares")
    done = run_submit(store, config, sample=sample(tmp_path, ["id_e.jpg", "id_a.jpg", "id_d.jpg"]))
    expected = {"id_e.jpg": SHARES, "id_a.jpg": BOTH["id_a"], "id_d.jpg": SHARES}
    assert_rows(read(store.root / "submission.csv"), expected)
    assert done.without_prediction == 2


def test_a_class_without_training_pairs_has_a_share_of_nothing(tmp_path):
    store, config = begin(tmp_path, test=("id_d",), train={"t1": "brown", "t2": "brown", "t3": "healthy", "t4": None})
    run_submit(store, config)
    assert_rows(read(store.root / "submission.csv"), {"id_d.jpg": [0, 2 / 3, 1 / 3]})


def test_every_row_sums_to_one(tmp_path):
    store, config = begin(tmp_path, test=(*BOTH, "id_d"))
    run_submit(store, config)
    assert read(store.root / "submission.csv").sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-7)


def test_a_sample_of_other_classes_is_refused(tmp_path):
    store, config = begin(tmp_path)
    for columns in (["blast", "brown"], [*CLASSES, "tungro"], ["blast", "brown", "Healthy"]):
        path = sample(tmp_path, ["id_a.jpg"], columns)
        message = f"{path} has the classes {', '.join(columns)}, the run blast, brown, healthy: give the right one"
        with pytest.raises(InputError, match=message):
            run_submit(store, config, sample=path)
    assert not (store.root / "submission.csv").exists()


def test_a_sample_of_other_ids_is_refused(tmp_path):
    store, config = begin(tmp_path)
    path = sample(tmp_path, ["x1.jpg", "x2.jpg"])
    with pytest.raises(InputError, match=rf"names no test pair of {store.root} \(e.g. x1\): give the right one"):
        run_submit(store, config, sample=path)
    with pytest.raises(InputError, match=rf"names no test pair of {store.root}: give the right one"):
        run_submit(store, config, sample=sample(tmp_path, []))
    assert not (store.root / "submission.csv").exists()


def test_a_sample_that_is_missing_or_has_no_ids_is_refused(tmp_path):
    store, config = begin(tmp_path)
    with pytest.raises(InputError, match="nowhere.csv is missing"):
        run_submit(store, config, sample=tmp_path / "nowhere.csv")
    path = tmp_path / "other.csv"
    path.write_text("name,blast,brown,healthy\nid_a.jpg,0,0,0\n")
    with pytest.raises(InputError, match="lacks the column 'Image_id'"):
        run_submit(store, config, sample=path)


def test_a_run_without_test_pairs_or_predictions_is_refused(tmp_path):
    store, config = begin(tmp_path, test=())
    with pytest.raises(InputError, match=f"{store.root} has no test pair to submit: import images with a Test.csv"):
        run_submit(store, config)
    (store.root / "predictions.parquet").unlink()
    with pytest.raises(ArtifactError, match="no predictions.parquet. Make it with `rice-ssl embed"):
        run_submit(store, config)


CV = TABLES["cross_validation"].columns


def cross_validated(store, rows):
    """A table of (pair, judge, probabilities, split)."""
    found = [(pair, judge, p, p, "blast", max(p), None, split, -1) for pair, judge, p, split in rows]
    store.write_table("cross_validation", pd.DataFrame(found, columns=list(CV)))


def test_the_networks_of_all_folds_go_before_the_runs_classifier(tmp_path):
    """c has one image: its sensor's word counts. What is out of fold is of no test pair."""
    store, config = begin(tmp_path)
    cross_validated(
        store,
        [
            ("id_c", "rgnir", [0.1, 0.1, 0.8], "test"),
            ("id_a", "rgb", [0.0, 0.0, 1.0], "test"),
            ("id_a", "both", [0.3, 0.3, 0.4], "test"),
            ("id_b", "both", [0.6, 0.3, 0.1], "test"),
            ("t1", "both", [1.0, 0.0, 0.0], "oof"),
        ],
    )
    done = run_submit(store, config)
    expected = {"id_a.jpg": [0.3, 0.3, 0.4], "id_b.jpg": [0.6, 0.3, 0.1], "id_c.jpg": [0.1, 0.1, 0.8]}
    assert_rows(read(store.root / "submission.csv"), expected)
    assert (done.table, done.judge, done.from_one_image, done.without_prediction) == ("cross_validation", "both", 1, 0)
    assert done.text().startswith(
        f"{done.csv}: 3 rows by the networks of all folds from all images of a pair, no Sample"
    )
    assert done.text().endswith("; 1 ids have one image and were judged from that")


def test_a_cross_validation_without_test_pairs_leaves_it_to_the_classifier(tmp_path):
    store, config = begin(tmp_path)
    cross_validated(store, [("t1", "both", [1.0, 0.0, 0.0], "oof")])
    assert run_submit(store, config).table == "predictions"
    assert_rows(read(store.root / "submission.csv"), {f"{pair}.jpg": BOTH[pair] for pair in ("id_a", "id_b", "id_c")})


@pytest.mark.parametrize("table", ["predictions", "cross_validation"])
def test_a_run_of_one_sensor_takes_that_sensors_word(tmp_path, table):
    store, config = begin(tmp_path, sensors="rgnir")
    if table == "cross_validation":
        rows = [(pair, judge, p, "test") for pair in BOTH for judge, p in (("rgb", [1, 0, 0]), ("rgnir", [0, 0, 1]))]
        cross_validated(store, rows[:-1])  # c lacks its RGNIR image
    done = run_submit(store, config)
    expected = {f"{pair}.jpg": [0.0, 0.0, 1.0] for pair in ("id_a", "id_b", "id_c")}
    if table == "cross_validation":
        expected["id_c.jpg"] = SHARES
    assert_rows(read(store.root / "submission.csv"), expected)
    assert (done.table, done.judge, done.from_one_image) == (table, "rgnir", 0)
    assert done.without_prediction == (1 if table == "cross_validation" else 0)
    assert " from its rgnir image, " in done.text()


def test_a_fused_classifier_judges_the_pair(tmp_path):
    store, config = begin(tmp_path, sensors="fused")
    assert run_submit(store, config).judge == "both"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ([0.5, 0.2, 0.1], "has probabilities that sum to 0.8, not 1"),
        ([float("nan"), 0.5, 0.5], "holds a probability that is no number"),
        ([1.2, -0.2, 0.0], "holds a probability of 1.2, outside 0 to 1"),
        ([0.5, 0.5], "holds 2 probabilities for 3 classes"),
    ],
)
def test_what_are_no_probabilities_is_refused(tmp_path, row, fault):
    store, config = begin(tmp_path, judged={**BOTH, "id_b": row})
    made_by = f"make it with `rice-ssl embed {store.root}`"
    with pytest.raises(ArtifactError, match=f"Pair id_b of .*predictions.parquet {fault}: {made_by}"):
        run_submit(store, config)
    cross_validated(store, [("id_b", "both", row, "test")])
    with pytest.raises(ArtifactError, match=f"cross_validation.parquet {fault}: make it with `rice-ssl cross-validate"):
        run_submit(store, config)
    assert not (store.root / "submission.csv").exists()


def test_a_sample_that_names_an_id_twice_is_refused(tmp_path):
    store, config = begin(tmp_path)
    path = sample(tmp_path, ["id_a.jpg", "id_b.jpg", "id_a.jpg"])
    with pytest.raises(InputError, match=r"names 1 ids more than once \(the first: id_a.jpg\): keep one each"):
        run_submit(store, config, sample=path)


def test_a_sample_may_name_the_other_sensors_files(tmp_path):
    store, config = begin(tmp_path)
    run_submit(store, config, sample=sample(tmp_path, ["id_b_rgn.jpg", "id_a"]))
    assert_rows(read(store.root / "submission.csv"), {"id_b_rgn.jpg": BOTH["id_b"], "id_a": BOTH["id_a"]})


def test_without_a_labelled_training_pair_classes_share_alike(tmp_path):
    store, config = begin(tmp_path, test=("id_d",), train={"t1": None})
    run_submit(store, config)
    assert_rows(read(store.root / "submission.csv"), {"id_d.jpg": [1 / 3, 1 / 3, 1 / 3]})
