import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from rice_ssl.artifacts import SCHEMA_VERSION, TABLES, RunStore, atomic_path, sha256_file
from rice_ssl.errors import ArtifactError
from tests.fakes import write_fake_run


@pytest.fixture
def store(tmp_path):
    return write_fake_run(tmp_path / "run", pairs=6)


def test_tables_come_back_as_they_were_written(store):
    manifest = store.read_table("manifest")
    assert list(manifest.columns) == list(TABLES["manifest"].columns)
    assert manifest["pair_id"].tolist()[:3] == ["id_0000", "id_0000", "id_0001"]
    assert manifest["fold"].tolist()[:3] == [0, 0, 1]


def test_vectors_come_back_as_one_array(store):
    vectors = store.read_vectors("predictions", "logits")
    assert vectors.dtype == np.float32
    assert vectors[0].tolist() == [4.0, 0.0, 0.0]  # pair id_0000 by RGB, see tests/fakes.py
    assert vectors.shape == (18, 3)


def test_vectors_that_are_all_null_are_none(store):
    frame = store.read_table("embeddings")
    frame["projection"] = None
    store.write_table("embeddings", frame)
    assert store.read_vectors("embeddings", "projection") is None


def test_vectors_of_different_lengths_are_refused(store):
    frame = store.read_table("embeddings")
    frame["embedding"] = [np.zeros(3 if k else 2) for k in range(len(frame))]
    store.write_table("embeddings", frame)
    with pytest.raises(ArtifactError, match="different lengths"):
        store.read_vectors("embeddings", "embedding")


def test_missing_run_and_missing_table_name_the_command(tmp_path, store):
    with pytest.raises(ArtifactError, match="no run directory.*rice-ssl run"):
        RunStore(tmp_path / "none").info()
    (store.root / "map.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"no map\.parquet.*rice-ssl map"):
        store.read_table("map")


@pytest.mark.parametrize(("version", "remedy"), [(SCHEMA_VERSION + 1, "Update rice_ssl"), (0, "Make the run anew")])
def test_another_schema_version_says_what_to_do(store, version, remedy):
    path = store.root / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": version}))
    with pytest.raises(ArtifactError, match=remedy):
        store.info()


def test_run_json_that_is_not_json_is_named(store):
    (store.root / "run.json").write_text("{broken")
    with pytest.raises(ArtifactError, match=r"run\.json cannot be read as JSON"):
        store.info()


def test_a_file_changed_behind_the_run_is_refused(store):
    path = store.root / "predictions.parquet"
    pq.write_table(pq.read_table(path).slice(0, 3), path)
    with pytest.raises(ArtifactError, match="changed after the run wrote it"):
        store.read_table("predictions")


def test_a_truncated_table_without_a_noted_hash_is_named(store):
    path = store.root / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:100])
    store.update_info(hashes={})
    with pytest.raises(ArtifactError, match="cannot be read as Parquet"):
        store.read_table("predictions")


def test_a_table_without_a_column_is_neither_written_nor_read(store):
    frame = store.read_table("map").drop(columns="cluster")
    with pytest.raises(ArtifactError, match="lacks cluster"):
        store.write_table("map", frame)
    pq.write_table(pq.read_table(store.root / "map.parquet").drop_columns(["cluster"]), store.root / "map.parquet")
    store.update_info(hashes={})
    with pytest.raises(ArtifactError, match="lacks the column 'cluster'"):
        store.read_table("map")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_cams_fit_their_index(store):
    index, cams = store.read_cams()
    assert cams.shape == (12, 3, 4, 5)
    store.write_cams(
        pd.DataFrame({"pair_id": ["a"], "sensor": ["rgb"], "row": [99]}), np.zeros((1, 3, 2, 2), np.float16)
    )
    with pytest.raises(ArtifactError, match="does not fit its index"):
        store.read_cams()
    assert index["row"].tolist() == list(range(12))


def test_an_event_cut_short_by_a_kill_is_left_out(store):
    with (store.root / "events.jsonl").open("a") as stream:
        stream.write('{"stage": "pretrain", "ki')
    assert [event["kind"] for event in store.events()] == ["warmup_end", "queue_start"]


def test_hash_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_finished_stages_are_noted(store):
    store.finish_stage("map", "f1", seconds=1.5)
    assert store.info()["stages"] == {"map": {"fingerprint": "f1", "seconds": 1.5}}


def test_leftovers_of_a_killed_training_are_cleared_and_nothing_else(tmp_path):
    store = RunStore(tmp_path)
    store.create({"name": "killed"})
    store.write_events([])
    (tmp_path / "weights").mkdir()
    left = [".run.json.0a.part", ".events.jsonl.0b.part", ".metrics.parquet.0c.part"]
    left.append("weights/.swav.safetensors.0d.part")
    kept = ["images.part", ".submission.csv.0e.part", "weights/swav.safetensors"]
    for name in (*left, *kept):
        (tmp_path / name).write_text("half")
    store.clear_leftovers()
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"run.json", "events.jsonl", *kept}
