"""Search for similar vectors: exact, by index, and an index file that is damaged or of something else."""

import subprocess
import sys

import faiss
import numpy as np
import pytest

from rice_ssl.embeddings.neighbours import nearest
from rice_ssl.embeddings.similar import SimilarIndex, build_index, index_file, similar
from rice_ssl.errors import ArtifactError, InputError

COMMAND = "rice-ssl map runs/mine"


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    found = rng.normal(size=(30, 16))[rng.integers(0, 30, 6000)] + 0.4 * rng.normal(size=(6000, 16))
    return (found * rng.uniform(0.5, 20, (6000, 1))).astype(np.float32)


@pytest.fixture(scope="module")
def index(vectors):
    return build_index(vectors, seed=0)


@pytest.fixture
def file(index, tmp_path):
    index.write(tmp_path / "index.faiss")
    return tmp_path / "index.faiss"


def recall(found, vectors, rows):
    hits = []
    for row in rows:
        exact, _ = nearest(vectors[row], vectors, 10, exclude=row)
        near, _ = similar(found, vectors[row], 10, exclude=row)
        hits.append(np.isin(exact, near).mean())
    return np.mean(hits)


def test_the_index_finds_nearly_all_and_says_how_many(index, vectors):
    rows = np.random.default_rng(1).choice(6000, 100, replace=False)
    measured = recall(index, vectors, rows)
    assert measured >= 0.95
    assert index.recall >= 0.98
    assert measured == pytest.approx(index.recall, abs=0.03)
    assert (index.count, index.width) == (6000, 16)


def test_cosines_are_those_of_the_vectors(index, vectors):
    rows, cosines = similar(index, 3 * vectors[7], 5)
    exact, expected = similar(vectors, vectors[7], 5)
    assert rows[0] == 7
    assert rows.tolist() == exact.tolist()
    np.testing.assert_allclose(cosines, expected, atol=1e-6)
    assert cosines[0] <= 1.0
    assert (rows.dtype, cosines.dtype) == (np.int64, np.float32)


def test_the_excluded_row_is_left_out(index, vectors):
    everything, _ = similar(index, vectors[7], 6)
    without, _ = similar(index, vectors[7], 5, exclude=7)
    assert without.tolist() == everything[1:].tolist()


def test_probing_more_lists_until_all_are_looked_through_is_exact(vectors):
    """Random directions have no lists to speak of: more of them are looked through for the same recall."""
    scattered = np.random.default_rng(2).normal(size=(4000, 24)).astype(np.float32)
    found = build_index(scattered, seed=0)
    assert found.recall >= 0.98
    assert found.probes > build_index(vectors, seed=0).probes


def test_the_seed_decides(vectors, index):
    again = build_index(vectors, seed=0)
    queries = np.random.default_rng(3).normal(size=(20, 16))
    for one, other in zip(index.search(queries, 10), again.search(queries, 10), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_with_nan_are_never_found_and_rows_keep_their_numbers(vectors):
    broken, told = vectors.copy(), []
    broken[::3, 5] = np.nan
    found = build_index(broken, seed=0, advance=told.append)
    rows, _ = found.search(broken[1::3][:50], 10)
    assert (rows[:, 0] == np.arange(1, 150, 3)).all()
    assert not (rows % 3 == 0).any()
    assert (found.count, sum(told)) == (4000, 6000)
    rows, cosines = found.search(broken[:2], 3)
    assert rows[0].tolist() == [-1, -1, -1]
    assert np.isnan(cosines[0]).all()
    assert similar(found, broken[0], 3)[0].tolist() == []


def test_fewer_than_asked_come_back_where_fewer_are_found(index, vectors):
    rows, cosines = similar(index, vectors[0], 10_000)
    assert 10 < len(rows) == len(cosines) <= 6000
    assert np.isfinite(cosines).all()


def test_a_file_gives_the_same_answers(index, file, vectors):
    read = SimilarIndex.read(file, COMMAND, shape=(6000, 16))
    queries = np.random.default_rng(4).normal(size=(30, 16))
    for one, other in zip(index.search(queries, 10), read.search(queries, 10), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (read.count, read.probes, read.recall) == (index.count, index.probes, None)


def test_what_is_no_index_is_said_with_the_command(file, vectors, tmp_path):
    def says(said, path=file, shape=(6000, 16)):
        with pytest.raises(ArtifactError, match=f"{said}.*Make it with `{COMMAND}`"):
            SimilarIndex.read(path, COMMAND, shape=shape)

    says("There is no index at", tmp_path / "none.faiss")
    says("is of 6000 vectors of 16 numbers, there are 6000 of 8", shape=(6000, 8))
    says("is of 6000 vectors of 16 numbers, there are 5999 of 16", shape=(5999, 16))
    whole = file.read_bytes()
    for size in (0, 3, 50, 2000, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        says("is damaged, or cut short" if size > 3 else "is not an index of this kind")
    file.write_bytes(b"\x80\x04" + whole)  # as a pickle begins
    says("is not an index of this kind")
    flat = faiss.IndexFlatIP(16)
    flat.add(vectors)
    faiss.write_index(flat, str(file))
    says("is not an index of this kind")
    other = faiss.IndexIVFFlat(faiss.IndexFlatL2(16), 16, 4)
    other.train(vectors)
    other.add(vectors)
    faiss.write_index(other, str(file))
    says("is not an index of this kind")


def test_lists_in_another_file_are_refused(vectors, tmp_path):
    """Such a file names a path, and would show what is not of this run."""
    made = faiss.IndexIVFFlat(faiss.IndexFlatIP(16), 16, 4, faiss.METRIC_INNER_PRODUCT)
    made.train(vectors)
    elsewhere = faiss.OnDiskInvertedLists(4, made.code_size, str(tmp_path / "elsewhere"))
    made.replace_invlists(elsewhere)
    made.add(vectors)
    faiss.write_index(made, str(tmp_path / "index.faiss"))
    with pytest.raises(ArtifactError, match="is not an index of this kind"):
        SimilarIndex.read(tmp_path / "index.faiss", COMMAND, shape=(6000, 16))


def test_a_count_that_the_lists_do_not_hold_is_refused(file):
    whole = bytearray(file.read_bytes())
    at = whole.index((6000).to_bytes(8, "little"))
    whole[at : at + 8] = (5000).to_bytes(8, "little")
    file.write_bytes(whole)
    with pytest.raises(ArtifactError, match="is damaged, or cut short"):
        SimilarIndex.read(file, COMMAND, shape=(6000, 16))


def test_a_query_of_another_width_is_refused(index):
    with pytest.raises(InputError, match="A query of 8 numbers was asked of an index of vectors of 16"):
        similar(index, np.ones(8), 3)


def test_too_few_vectors_are_refused():
    with pytest.raises(InputError, match="An index needs 40 vectors at least, there are 39"):
        build_index(np.ones((39, 4)), seed=0)
    assert build_index(np.random.default_rng(0).normal(size=(40, 4)), seed=0).recall == 1.0


def test_the_file_has_the_sensors_name():
    assert index_file("embedding", "rgnir") == "index/embedding.rgnir.faiss"


def test_the_dashboard_can_import_it_without_torch_and_faiss():
    code = "import sys, rice_ssl.embeddings.similar; print([name in sys.modules for name in ('torch', 'faiss')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[False, False]"
