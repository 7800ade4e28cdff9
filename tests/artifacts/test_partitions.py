"""Tables in parts: what is read is what was written, whole or not at all, whichever form it has."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rice_ssl.artifacts import RunStore, files, sha256_file, table_files, vector_array
from rice_ssl.artifacts import store as store_module
from rice_ssl.errors import ArtifactError
from tests.fakes import write_fake_run


@pytest.fixture
def store(tmp_path):
    return write_fake_run(tmp_path / "run", pairs=6)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(store_module, "ROWS_IN_PART", 5)


def overlap_table(*values):
    ids = [f"id_{k}" for k in range(len(values))]
    return pd.DataFrame({"pair_id": ids, "overlap": list(values), "first_rank": 1, "second_rank": 1})


def noted(store):
    return {name for name in store.info()["hashes"] if name.startswith("neighbourhoods")}


def test_a_long_frame_is_written_in_parts_and_comes_back_in_order(store, small_parts):
    before = store.read_table("predictions")
    folder = store.write_table("predictions", before)
    assert [path.name for path in sorted(folder.iterdir())] == [f"part-0000{k}.parquet" for k in range(4)]  # 18 rows
    assert not (store.root / "predictions.parquet").exists()
    after = store.read_table("predictions")
    pd.testing.assert_frame_equal(
        before.drop(columns=["logits", "probabilities"]),
        after[before.columns].drop(columns=["logits", "probabilities"]),
    )
    assert [list(row) for row in after["logits"]] == [list(row) for row in before["logits"]]
    assert store.read_vectors("predictions", "logits").tolist() == [list(row) for row in before["logits"]]
    assert store.has("predictions")
    assert store.has_file("predictions.parquet")


def test_a_table_of_exactly_one_part_is_a_file(store, small_parts):
    store.write_table("neighbourhoods", overlap_table(*range(5)))
    assert [path.name for path in store.files("neighbourhoods")] == ["neighbourhoods.parquet"]
    store.write_table("neighbourhoods", overlap_table(*range(6)))
    assert [path.name for path in store.files("neighbourhoods")] == ["part-00000.parquet", "part-00001.parquet"]


def test_columns_are_read_from_all_parts(store):
    store.write_parts("neighbourhoods", [overlap_table(0.1, 0.2), overlap_table(0.3)])
    assert store.read_table("neighbourhoods", ["overlap"])["overlap"].tolist() == [0.1, 0.2, 0.3]
    with pytest.raises(ArtifactError, match="lacks the column 'nothing'"):
        store.read_table("neighbourhoods", ["nothing"])


def test_one_form_takes_the_place_of_the_other_and_of_its_hashes(store):
    single = store.root / "neighbourhoods.parquet"
    store.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])
    assert not single.exists()
    assert noted(store) == {"neighbourhoods/part-00000.parquet", "neighbourhoods/part-00001.parquet"}
    store.write_parts("neighbourhoods", [overlap_table(0.3)])
    assert noted(store) == {"neighbourhoods/part-00000.parquet"}
    store.write_table("neighbourhoods", overlap_table(0.4))
    assert noted(store) == {"neighbourhoods.parquet"}
    assert store.read_table("neighbourhoods")["overlap"].tolist() == [0.4]
    assert not (store.root / "neighbourhoods").exists()
    assert [path.name for path in store.root.glob(".neigh*")] == []


def test_removal_takes_the_parts_and_their_hashes(store):
    store.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])
    store.remove("neighbourhoods.parquet")
    assert not store.has("neighbourhoods")
    assert noted(store) == set()
    assert not (store.root / "neighbourhoods").exists()
    with pytest.raises(ArtifactError, match=r"no neighbourhoods\.parquet.*rice-ssl map"):
        store.read_table("neighbourhoods")


def test_removal_leaves_a_folder_of_that_name_that_holds_no_parts(store):
    (store.root / "neighbourhoods").mkdir(exist_ok=True)
    (store.root / "neighbourhoods" / "notes.txt").write_text("mine")
    store.remove("neighbourhoods.parquet")
    assert (store.root / "neighbourhoods" / "notes.txt").read_text() == "mine"


def test_a_part_changed_behind_the_run_is_refused(store):
    store.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])
    store.check_hash("neighbourhoods.parquet", "rice-ssl map")
    part = store.root / "neighbourhoods" / "part-00001.parquet"
    pq.write_table(pq.read_table(part).slice(0, 0), part)
    for read in (store.read_table, store.files, lambda name: store.check_hash(f"{name}.parquet", "rice-ssl map")):
        with pytest.raises(ArtifactError, match=r"part-00001\.parquet was changed after the run wrote it"):
            read("neighbourhoods")


def test_a_part_that_was_taken_away_is_missed(store):
    store.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])
    (store.root / "neighbourhoods" / "part-00001.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"part-00001\.parquet is not there"):
        store.read_table("neighbourhoods")


def test_a_part_that_was_put_beside_is_refused(store):
    store.write_parts("neighbourhoods", [overlap_table(0.1)])
    folder = store.root / "neighbourhoods"
    shutil.copy(folder / "part-00000.parquet", folder / "part-00001.parquet")
    with pytest.raises(ArtifactError, match=r"part-00001\.parquet is not of what the run wrote"):
        store.read_table("neighbourhoods")


def test_frames_that_fail_leave_the_former_table_and_nothing_else(store):
    store.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}

    def frames():
        yield overlap_table(0.5)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        store.write_parts("neighbourhoods", frames())
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before
    with pytest.raises(ArtifactError, match="lacks overlap"):
        store.write_parts("neighbourhoods", [overlap_table(0.5).drop(columns="overlap")])
    with pytest.raises(ValueError, match="no frames"):
        store.write_parts("neighbourhoods", [])
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before


class Killed(BaseException):
    """The process ended here: nothing after it is done, not even what would clear up."""


@pytest.mark.parametrize("former", ["parts", "file"])
@pytest.mark.parametrize("at", ["before the rename", "between the renames", "before the note", "before the removal"])
def test_a_killed_write_of_parts_leaves_a_whole_table(store, monkeypatch, former, at):
    old, new = overlap_table(0.1, 0.2), [overlap_table(0.7), overlap_table(0.8, 0.9)]
    if former == "parts":
        store.write_parts("neighbourhoods", [old[:1], old[1:]])
    else:
        store.write_table("neighbourhoods", old)

    def kill(*_, **__):
        raise Killed

    replace = table_files.os.replace
    stay = {"before the rename": 0, "between the renames": 1 if former == "parts" else 0}.get(at)
    with monkeypatch.context() as patched:
        if stay is not None:
            done = []

            def some(source, target):
                if "neighbourhoods" not in str(target) or len(done) == stay:
                    raise Killed
                done.append(target)
                replace(source, target)

            patched.setattr(table_files.os, "replace", some)
            patched.setattr(table_files.shutil, "rmtree", lambda *_, **__: None)  # a killed process clears nothing up
        elif at == "before the note":
            patched.setattr(RunStore, "update_info", kill)
        else:
            patched.setattr(store_module, "remove_former", kill)
            patched.setattr(type(store.root), "unlink", kill)
        with pytest.raises(Killed):
            store.write_parts("neighbourhoods", new)
    expected = [0.7, 0.8, 0.9] if at == "before the removal" else [0.1, 0.2]
    assert store.read_table("neighbourhoods")["overlap"].tolist() == expected
    store.write_parts("neighbourhoods", new)  # and the next one succeeds, and clears up
    assert store.read_table("neighbourhoods")["overlap"].tolist() == [0.7, 0.8, 0.9]
    assert [path.name for path in store.root.glob("*neigh*")] == ["neighbourhoods"]
    assert list(store.root.glob(".neigh*")) == []


@pytest.mark.parametrize("at", ["before the note", "before the removal"])
def test_a_killed_write_of_a_file_over_parts_leaves_a_whole_table(store, monkeypatch, at):
    store.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])

    def kill(*_, **__):
        raise Killed

    with monkeypatch.context() as patched:
        if at == "before the note":
            patched.setattr(RunStore, "update_info", kill)
        else:
            patched.setattr(store_module, "remove_folder", kill)
        with pytest.raises(Killed):
            store.write_table("neighbourhoods", overlap_table(0.9))
    expected = [0.9] if at == "before the removal" else [0.1, 0.2]
    assert store.read_table("neighbourhoods")["overlap"].tolist() == expected


def test_a_file_is_hashed_once_in_a_process_and_again_when_it_changed(store, monkeypatch):
    read = []
    monkeypatch.setattr(files, "sha256_file", lambda path: read.append(path.name) or sha256_file(path))
    files._VERIFIED.clear()
    for _ in range(3):
        RunStore(store.root).read_table("predictions", ["pair_id"])
    assert read == ["predictions.parquet"]
    path = store.root / "predictions.parquet"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)  # of the same size
    with pytest.raises(ArtifactError, match="changed after the run wrote it"):
        store.read_table("predictions", ["pair_id"])


def test_hash_of_a_table_in_parts_is_that_of_its_hashes(store):
    assert store.hash_of("map") == store.info()["hashes"]["map.parquet"]["sha256"]
    store.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])
    hashes = store.info()["hashes"]
    lines = [hashes[f"neighbourhoods/part-0000{k}.parquet"]["sha256"] for k in range(2)]
    (store.root / "lines").write_text("\n".join(lines))
    assert store.hash_of("neighbourhoods") == sha256_file(store.root / "lines")


def test_parts_are_noted_again_as_they_lie_there(store):
    store.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])
    path = store.root / "run.json"
    info = json.loads(path.read_text())
    info["hashes"]["neighbourhoods/part-00000.parquet"]["sha256"] = "0" * 64
    path.write_text(json.dumps(info))
    with pytest.raises(ArtifactError, match="changed"):
        store.read_table("neighbourhoods")
    store.note_hash("neighbourhoods.parquet")
    assert store.read_table("neighbourhoods")["overlap"].tolist() == [0.1, 0.2]


# -- vectors ----------------------------------------------------------------------------------------------------------


def embeddings(*vectors, projection=None):
    count = len(vectors)
    return pa.table(
        {
            "pair_id": [f"id_{k}" for k in range(count)],
            "sensor": ["rgb"] * count,
            "embedding": vector_array(np.array(vectors, dtype=np.float32)),
            "projection": pa.nulls(count) if projection is None else pa.array([projection] * count),
            "prototype_logits": pa.nulls(count),
        }
    )


def test_vectors_of_all_parts_become_one_array_nan_included(store):
    store.write_parts("embeddings", [embeddings([1, 2], [3, 4]), embeddings([5, np.nan])])
    found = store.read_vectors("embeddings", "embedding")
    assert found.dtype == np.float32
    assert found.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(found, [[1, 2], [3, 4], [5, np.nan]])
    assert store.read_vectors("embeddings", "projection") is None


@pytest.mark.parametrize(
    "parts",
    [
        [embeddings([1.0, 2.0]), embeddings([1.0, 2.0, 3.0])],
        [
            embeddings([1.0, 2.0]).set_column(2, "embedding", pa.nulls(1, pa.list_(pa.float32()))),
            embeddings([1.0, 2.0]),
        ],
        [
            embeddings([1.0, 2.0]),
            embeddings([1.0, 2.0]).set_column(2, "embedding", pa.nulls(1, pa.list_(pa.float32()))),
        ],
    ],
    ids=["lengths", "null first", "null last"],
)
def test_vectors_that_differ_between_parts_are_refused(store, parts):
    store.write_parts("embeddings", parts)
    with pytest.raises(ArtifactError, match="different lengths.*rice-ssl embed"):
        store.read_vectors("embeddings", "embedding")


def test_vectors_of_many_pieces_are_read_once_each(store, monkeypatch):
    from rice_ssl.artifacts import arrow

    monkeypatch.setattr(arrow, "_ROWS_AT_ONCE", 7)
    values = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    store.write_parts("embeddings", [embeddings(*values[:25]), embeddings(*values[25:])])
    np.testing.assert_array_equal(store.read_vectors("embeddings", "embedding"), values)


# -- rows and questions -----------------------------------------------------------------------------------------------


def thumbnails(ids):
    rows = [(pair_id, sensor, 3, 2, f"{pair_id} {sensor}".encode()) for pair_id in ids for sensor in ("rgb", "rgnir")]
    return pd.DataFrame(rows, columns=["pair_id", "sensor", "width", "height", "jpeg"])


def test_thumbnails_are_sorted_by_pair_in_small_row_groups(store):
    ids = [f"p{k:05d}" for k in np.random.default_rng(0).permutation(3000)]
    path = store.write_table("thumbnails", thumbnails(ids))
    opened = pq.ParquetFile(path)
    assert [opened.metadata.row_group(k).num_rows for k in range(opened.num_row_groups)] == [256] * 23 + [112]
    assert store.read_table("thumbnails", ["pair_id"])["pair_id"].is_monotonic_increasing


@pytest.mark.parametrize("parts", [1, 3])
def test_rows_of_pairs_are_those_of_a_slow_search(store, parts):
    frame = thumbnails([f"p{k:05d}" for k in range(3000)])
    if parts == 1:
        store.write_table("thumbnails", frame)
    else:
        store.write_parts("thumbnails", [frame[:2049], frame[2049:4100], frame[4100:]])  # a pair in two parts, too
    wanted = ["p02999", "p00000", "p01024", "p01023", "nobody", "p01024"]
    found = store.read_rows("thumbnails", wanted, ["pair_id", "sensor", "jpeg"])
    slow = frame[[pair_id in wanted for pair_id in frame["pair_id"]]]
    assert found.to_numpy().tolist() == slow[["pair_id", "sensor", "jpeg"]].to_numpy().tolist()
    assert store.read_rows("thumbnails", ["nobody"], ["jpeg"]).to_dict("list") == {"jpeg": []}
    assert store.read_rows("thumbnails", [], ["jpeg"]).to_dict("list") == {"jpeg": []}


def test_only_row_groups_that_may_hold_a_pair_are_read(store, monkeypatch):
    store.write_table("thumbnails", thumbnails([f"p{k:05d}" for k in range(5000)]))
    read, original = [], pq.ParquetFile.read_row_group

    def counted(self, group, **how):
        read.append((group, tuple(how["columns"])))
        return original(self, group, **how)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    store.read_rows("thumbnails", ["p02100", "p02101"], ["jpeg"])  # rows 4200..4203 of groups of 256
    assert read == [(16, ("pair_id",)), (16, ("jpeg",))]


def test_rows_of_a_table_that_is_not_sorted_are_found_too(store):
    frame = store.read_table("predictions", ["pair_id", "sensor", "prediction"])
    found = store.read_rows("predictions", ["id_0004", "id_0001"], ["pair_id", "sensor", "prediction"])
    slow = frame[frame["pair_id"].isin(["id_0001", "id_0004"])]
    assert found.to_numpy().tolist() == slow.to_numpy().tolist()


def test_a_question_is_asked_of_all_parts(store):
    store.write_parts("neighbourhoods", [overlap_table(0.1, 0.2), overlap_table(0.3)])
    found = store.query(
        "SELECT count(*) AS n, max(overlap) AS most FROM neighbourhoods JOIN map USING (pair_id) WHERE overlap > ?",
        ["neighbourhoods", "map"],
        [0.15],
    )
    assert found.to_pylist() == [{"n": 0, "most": None}]  # their ids are others
    found = store.query("SELECT sum(overlap) AS all_of_it FROM neighbourhoods", ["neighbourhoods"])
    assert found.to_pylist() == [{"all_of_it": pytest.approx(0.6)}]


def test_a_question_of_a_table_that_is_not_there_names_the_command(store):
    store.remove("neighbourhoods.parquet")
    with pytest.raises(ArtifactError, match="rice-ssl map"):
        store.query("SELECT 1 FROM neighbourhoods", ["neighbourhoods"])
    pq.write_table(pa.table({"pair_id": ["a"]}), store.root / "neighbourhoods.parquet")
    with pytest.raises(ArtifactError, match=r"lacks the column 'overlap'.*rice-ssl map"):
        store.query("SELECT 1 FROM neighbourhoods", ["neighbourhoods"])


def test_a_damaged_part_is_named_and_not_half_read(store):
    store.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])
    part = store.root / "neighbourhoods" / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:50])
    store.update_info(hashes={})
    with pytest.raises(ArtifactError, match="cannot be read as Parquet"):
        store.read_table("neighbourhoods")


def test_parts_without_run_json_are_read_as_they_are(tmp_path):
    bare = RunStore(tmp_path / "bare")
    bare.write_parts("neighbourhoods", [overlap_table(0.1), overlap_table(0.2)])
    assert bare.read_table("neighbourhoods")["overlap"].tolist() == [0.1, 0.2]
    shutil.rmtree(bare.root / "neighbourhoods")
    assert not bare.has("neighbourhoods")
