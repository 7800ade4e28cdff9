"""Similar images: exact search where there are few, and an index that is kept on disk where there are many.

Imports no torch, and faiss only where there is an index: the dashboard uses it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rice_ssl.embeddings.neighbours import Advance, Rows, Vectors, finite_rows, nearest, unit_rows
from rice_ssl.errors import ArtifactError, InputError

if TYPE_CHECKING:
    import faiss

EXACT_AT_MOST = 100_000
"""Images of one sensor up to which every one is compared."""
RECALL, MEASURED_AT, QUERIES = 0.98, 10, 200
"""Share of the exact 10 nearest that an index shall find, mean over 200 of its own vectors."""
_LISTS, _FEWEST_LISTS, _SAMPLE, _ROUNDS = 2, 4, 40, 10
"""Lists: 2 for each root of the number of vectors; vectors for each list from which centres are learnt; rounds."""
_FIRST_PROBES, _PART = 8, 50_000
_KIND = b"IwFl"
"""First bytes of a file of this kind of index."""


def index_file(space: str, sensor: str) -> str:
    """Where the index of a sensor's vectors of a space lies inside the run directory."""
    return f"index/{space}.{sensor}.faiss"


class SimilarIndex:
    """Inverted lists of one sensor's vectors of one space: those near a query's centres are compared, exactly.

    faiss' IndexIVFFlat over vectors of length 1 and inner products, which are cosines.

    Args:
        index: of faiss; its ids are rows of the vectors.
        rows: how many vectors it was made of, those left out too.
        recall: measured when it was built; None where it was read from a file.
    """

    def __init__(self, index: faiss.IndexIVFFlat, rows: int, recall: float | None = None) -> None:
        """Take an index as it is."""
        self._index = index
        self._rows = rows
        self.recall = recall

    @property
    def count(self) -> int:
        """Vectors in it."""
        return int(self._index.ntotal)

    @property
    def width(self) -> int:
        """Numbers of a vector, D."""
        return int(self._index.d)

    @property
    def probes(self) -> int:
        """Lists that are looked through for a query."""
        return int(self._index.nprobe)

    def search(self, queries: Vectors, count: int) -> tuple[Rows, npt.NDArray[np.float32]]:
        """Nearest rows of each query by cosine similarity.

        Args:
            queries: shape (Q, D), of any length each.
            count: neighbours wanted.

        Returns:
            Rows, nearest first, shape (Q, count), -1 where no more were found; similarities in [-1, 1], NaN there. A
            query with NaN finds nothing.

        Raises:
            InputError: the queries have another width than the index.
        """
        if queries.ndim != 2 or queries.shape[1] != self.width:
            raise InputError(
                f"A query of {queries.shape[-1]} numbers was asked of an index of vectors of {self.width}: "
                "take one of the same space."
            )
        unit = unit_rows(queries)
        usable = finite_rows(unit)
        values, rows = self._index.search(np.where(usable[:, None], unit, 0), count)
        missing = (rows < 0) | (rows >= self._rows) | ~usable[:, None]
        cosines = np.where(missing, np.nan, np.clip(values, -1, 1)).astype(np.float32)
        return np.where(missing, -1, rows).astype(np.int64), cosines

    def write(self, path: Path) -> None:
        """Write it to a file."""
        import faiss

        faiss.write_index(self._index, str(path))

    @classmethod
    def read(cls, path: Path, command: str, *, shape: tuple[int, int]) -> SimilarIndex:
        """An index that :meth:`write` wrote; its lists stay on disk, memory-mapped.

        Args:
            path: of the file.
            command: that makes it, for messages.
            shape: (N, D) of the vectors that it must be of.

        Raises:
            ArtifactError: it is missing, damaged, or of other vectors.
        """
        remedy = f"Make it with `{command}`."
        if not path.is_file():
            raise ArtifactError(f"There is no index at {path}. {remedy}")
        with path.open("rb") as stream:
            if stream.read(len(_KIND)) != _KIND:
                raise ArtifactError(f"{path} is not an index of this kind. {remedy}")
        import faiss

        try:
            index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except (RuntimeError, MemoryError):
            raise ArtifactError(f"{path} is damaged, or cut short. {remedy}") from None
        if not isinstance(index, faiss.IndexIVFFlat) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ArtifactError(f"{path} is not an index of this kind. {remedy}")
        lists: Any = faiss.downcast_InvertedLists(index.invlists)  # type: ignore[arg-type]
        if not isinstance(lists, faiss.OnDiskInvertedLists) or lists.filename:  # they are in another file
            raise ArtifactError(f"{path} is not an index of this kind. {remedy}")
        held = sum(lists.list_size(number) for number in range(index.nlist))
        if not 1 <= index.nprobe <= index.nlist or held != index.ntotal:
            raise ArtifactError(f"{path} is damaged, or cut short. {remedy}")
        if index.d != shape[1] or not 1 <= held <= shape[0]:
            raise ArtifactError(
                f"{path} is of {held} vectors of {index.d} numbers, there are {shape[0]} of {shape[1]}. {remedy}"
            )
        return cls(index, shape[0])


def build_index(vectors: Vectors, *, seed: int, advance: Advance = lambda rows: None) -> SimilarIndex:
    """Learn the centres from a sample, sort all vectors into lists, and look through as many as the recall needs.

    The lists looked through for a query are doubled from 8 until 98% of the exact ten nearest of 200 vectors are found.

    Args:
        vectors: shape (N, D), of any length each, on disk or not; those with NaN are left out. N >= 40 at least.
        seed: of the sample, the centres and the measured vectors.
        advance: told how many more vectors are in the index.

    Raises:
        InputError: there are too few vectors.

    Source:
        Sivic and Zisserman 2003 (inverted lists); Douze et al. 2024, The Faiss library (arXiv 2401.08281).
    """
    import faiss

    usable = np.flatnonzero(finite_rows(vectors))
    if len(usable) < _SAMPLE:
        raise InputError(f"An index needs {_SAMPLE} vectors at least, there are {len(usable)}: compare them all.")
    width = vectors.shape[1]
    rng = np.random.default_rng(seed)
    lists = min(_power_of_two(_LISTS * len(usable) ** 0.5), max(1, len(usable) // _SAMPLE))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed, index.cp.spherical = _ROUNDS, seed, True
    sample = np.sort(rng.choice(usable, min(len(usable), _SAMPLE * lists), replace=False))
    index.train(unit_rows(vectors[sample]))
    for start, part in _parts(vectors):
        rows = np.flatnonzero(finite_rows(part))
        index.add_with_ids(unit_rows(part[rows]), rows + start)
        advance(len(part))
    found = SimilarIndex(index, len(vectors))
    asked = np.sort(rng.choice(usable, min(QUERIES, len(usable)), replace=False))
    truth = _exactly(vectors, asked)
    index.nprobe = min(_FIRST_PROBES, lists)
    while True:
        found.recall = _recall(found, vectors, asked, truth)
        if found.recall >= RECALL or index.nprobe >= lists:
            return found
        index.nprobe = min(2 * index.nprobe, lists)


def similar(
    among: Vectors | SimilarIndex, query: Vectors, count: int, exclude: int | None = None
) -> tuple[Rows, npt.NDArray[np.float32]]:
    """Rows that are nearest to a query by cosine similarity: exact among vectors, nearly so in an index.

    Args:
        among: vectors, shape (N, D), or an index of them.
        query: shape (D,).
        count: rows wanted; fewer come back where fewer are found.
        exclude: a row to leave out, e.g. the query's own.

    Returns:
        Rows, nearest first, and similarities in [-1, 1].

    Raises:
        InputError: the query has another width than the index.
    """
    if not isinstance(among, SimilarIndex):
        return nearest(query, among, count, exclude=exclude)
    rows, cosines = (values[0] for values in among.search(np.asarray(query)[None], count + (exclude is not None)))
    kept = np.flatnonzero((rows >= 0) & (rows != (-1 if exclude is None else exclude)))[:count]
    return rows[kept], cosines[kept]


def _exactly(vectors: Vectors, asked: Rows) -> Rows:
    """Ten nearest others of some rows, every vector compared, shape (Q, 10)."""
    queries, kept = unit_rows(vectors[asked]), min(MEASURED_AT, len(vectors))
    rows, cosines = [], []
    for start, part in _parts(vectors):
        near = queries @ unit_rows(part).T
        near[~np.isfinite(near)] = -np.inf
        inside = np.flatnonzero((asked >= start) & (asked < start + len(part)))
        near[inside, asked[inside] - start] = -np.inf
        columns = np.argpartition(-near, min(kept, len(part)) - 1, axis=1)[:, :kept]
        rows.append(columns + start)
        cosines.append(np.take_along_axis(near, columns, axis=1))
    order = np.argsort(-np.concatenate(cosines, axis=1), axis=1, kind="stable")[:, :kept]
    found: Rows = np.take_along_axis(np.concatenate(rows, axis=1), order, axis=1)
    return found


def _recall(index: SimilarIndex, vectors: Vectors, asked: Rows, truth: Rows) -> float:
    rows, _ = index.search(vectors[asked], MEASURED_AT + 1)
    found = [np.isin(one, other[other != own]).mean() for one, other, own in zip(truth, rows, asked, strict=True)]
    return float(np.mean(found))


def _parts(vectors: Vectors) -> list[tuple[int, Vectors]]:
    return [(start, vectors[start : start + _PART]) for start in range(0, len(vectors), _PART)]


def _power_of_two(value: float) -> int:
    return int(max(_FEWEST_LISTS, 2 ** round(float(np.log2(value)))))
