"""``rice-ssl submit`` on a run of five test pairs whose probabilities are written by hand."""

import pandas as pd
import pytest

from pipelines.configuration import parse_config
from pipelines.submit import run_submit
from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.submission import clip_probabilities

CLASSES = ["blast", "brown", "healthy"]
TRAIN = {"t1": "blast", "t2": "blast", "t3": "brown", "t4": "healthy"}  # shares 1/2, 1/4, 1/4
BOTH = {"id_a": [0.7, 0.2, 0.1], "id_b": [0.0, 1.0, 0.0], "id_c": [0.2, 0.2, 0.6]}
SHARES = [0.5, 0.25, 0.25]


def begin(folder, test=("id_c", "id_a", "id_b"), train=TRAIN, judged=BOTH):
    """A run: two pictures of every pair, and predictions of ``judged`` pairs, by both sensors and each."""
    images = folder / "images"
    images.mkdir()
    store = RunStore(folder / "run")
    store.create({"data_root": str(images), "classes": CLASSES})
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
    content = {"name": "tiny", "run": str(store.root), "data": {"root": str(images)}}
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
    assert done.text() == f"{done.csv}: 3 rows, no SampleSubmission.csv to check"


def test_a_sample_decides_about_rows_names_and_columns(tmp_path):
    store, config = begin(tmp_path)
    path = sample(tmp_path, ["id_c.png", "id_a.png"], ["healthy", "blast", "brown"])
    done = run_submit(store, config, sample=path, out=tmp_path / "deep" / "out.csv")
    table = read(tmp_path / "deep" / "out.csv")
    assert list(table.columns) == ["healthy", "blast", "brown"]
    assert_rows(table, {"id_c.png": BOTH["id_c"], "id_a.png": BOTH["id_a"]})
    assert done.text() == f"{done.csv}: 2 rows, checked against {path.as_posix()}"
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
