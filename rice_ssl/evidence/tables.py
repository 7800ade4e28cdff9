"""What a run's tables say of a few pairs; a table that is missing or cannot be read is a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.embeddings.neighbours import nearest
from rice_ssl.errors import ArtifactError
from rice_ssl.evidence.leaf import MapKind

NEAREST = 5
"""Nearest leaves named for each image."""
_OF_NO_CLASS = ("prototype", "similarity")
_BEFORE = MapKind("grad_cam", "last", "Grad-CAM")
"""Kind of the maps that ``rice-ssl embed`` makes."""
Key = tuple[str, str]
Row = dict[str, Any]


class PairTables:
    """Tables of a run, read once, as far as they are about some pairs.

    Args:
        store: the run.
        pair_ids: of the pairs.

    Attributes:
        missing: sentences on what could not be read.
    """

    def __init__(self, store: RunStore, pair_ids: Sequence[str]) -> None:
        """Read nothing yet."""
        self.store, self.ids, self.missing = store, list(pair_ids), list[str]()

    def rows(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame | None:
        """Rows of a table that are about the pairs; None where it cannot be read."""
        try:
            frame = self.store.read_table(name, columns)
        except ArtifactError as error:
            self.missing.append(str(error))
            return None
        return frame[frame["pair_id"].isin(self.ids)]

    def by_image(self, name: str, columns: Sequence[str]) -> dict[Key, Row]:
        """Row of each image; empty where the table cannot be read."""
        found = self.rows(name, ["pair_id", "sensor", *columns])
        return {} if found is None else {(row["pair_id"], row["sensor"]): row for row in _rows(found)}

    def by_map(self, name: str, keys: Sequence[str]) -> dict[tuple[str, ...], dict[str, Row]]:
        """Rows by what ``keys`` name and then by ``method.layer``; empty where the table cannot be read."""
        found: dict[tuple[str, ...], dict[str, Row]] = {}
        frame = self.rows(name)
        for row in [] if frame is None else _rows(frame):
            found.setdefault(tuple(str(row[key]) for key in keys), {})[f"{row['method']}.{row['layer']}"] = row
        return found

    def bands(self) -> dict[Key, dict[str, float]]:
        """Share of the evidence in each band, by image; empty where it was not measured."""
        found: dict[Key, dict[str, float]] = {}
        frame = self.rows("band_evidence", ["pair_id", "sensor", "band", "share"])
        for row in [] if frame is None else _rows(frame):
            found.setdefault((row["pair_id"], row["sensor"]), {})[str(row["band"])] = float(row["share"])
        return found

    def kinds(self) -> tuple[MapKind, ...]:
        """Kinds of maps of a class that ``rice-ssl attribution`` made; empty where it was not called."""
        try:
            document = self.store.read_document("attribution")
            kinds = [MapKind(str(one["method"]), str(one["layer"]), str(one["title"])) for one in document["maps"]]
        except ArtifactError as error:
            self.missing.append(f"{error} Until then, no trust in maps is known.")
            return ()
        except (KeyError, TypeError):
            self.missing.append(
                f"{self.store.root / 'attribution.json'} names no maps. "
                f"Make it anew with `{TABLES['attribution'].made_by.format(run=self.store.root)}`."
            )
            return ()
        return tuple(kind for kind in kinds if kind.method not in _OF_NO_CLASS)

    def grad_cams(self, kinds: Sequence[MapKind], classes: int) -> tuple[MapKind | None, dict[Key, npt.NDArray[Any]]]:
        """Grad-CAMs of the last layer by image, shape (classes, h, w), and their kind; None where there are none.

        Args:
            kinds: that ``rice-ssl attribution`` made; without Grad-CAM among them, those of ``rice-ssl embed`` count.
            classes: how many.
        """
        own = [kind for kind in kinds if kind.method == "grad_cam"]
        kind = own[-1] if own else _BEFORE
        try:
            if own:
                index = self.store.read_table("attribution", ["pair_id", "sensor", "row"])
                maps = self.store.read_array(f"attribution/{kind.name}.npy", TABLES["attribution"].made_by)
            else:
                index, maps = self.store.read_cams()
        except ArtifactError as error:
            self.missing.append(str(error))
            return None, {}
        if maps.ndim != 4 or maps.shape[1] != classes or 0 in maps.shape:
            self.missing.append(
                f"Maps of the shape {maps.shape} do not fit the run's {classes} classes. "
                f"Make them anew with `rice-ssl {'attribution' if own else 'embed'} {self.store.root}`."
            )
            return None, {}
        index = index[index["pair_id"].isin(self.ids) & (index["row"] < len(maps)) & (index["row"] >= 0)]
        found = {
            (row["pair_id"], row["sensor"]): np.nan_to_num(np.asarray(maps[row["row"]], dtype=np.float32)).clip(min=0)
            for row in _rows(index)
        }
        return kind, found

    def embeddings(self) -> tuple[pd.DataFrame, npt.NDArray[np.float32]] | None:
        """Keys of all the run's embeddings, and the embeddings, shape (rows, D); None where there are none."""
        try:
            keys = self.store.read_table("embeddings", ["pair_id", "sensor"])
            vectors = self.store.read_vectors("embeddings", "embedding")
        except ArtifactError as error:
            self.missing.append(str(error))
            return None
        return None if vectors is None else (keys, vectors)


class Neighbours:
    """Nearest images of a run by the cosine of embeddings.

    Args:
        found: keys and embeddings; None where there are none.
    """

    def __init__(self, found: tuple[pd.DataFrame, npt.NDArray[np.float32]] | None) -> None:
        """Take them apart by sensor."""
        self._sides: dict[str, tuple[list[str], dict[str, int], npt.NDArray[np.float32]]] = {}
        if found is not None:
            keys, vectors = found
            for sensor, part in keys.reset_index(drop=True).groupby("sensor"):
                ids = part["pair_id"].tolist()
                places = {pair_id: number for number, pair_id in enumerate(ids)}
                self._sides[str(sensor)] = (ids, places, vectors[part.index.to_numpy()])

    def of(self, pair_id: str, sensor: str) -> list[tuple[str, float]]:
        """The nearest images of the same sensor, nearest first, with cosines; the image itself is left out."""
        if sensor not in self._sides or pair_id not in self._sides[sensor][1]:
            return []
        ids, places, vectors = self._sides[sensor]
        own = places[pair_id]
        rows, cosines = nearest(vectors[own], vectors, NEAREST, exclude=own)
        return [(ids[row], float(cosine)) for row, cosine in zip(rows, cosines, strict=True)]

    def twins(self, pair_id: str, first: str, second: str) -> float | None:
        """Cosine of a pair's two images; None where one has no embedding."""
        sides = [self._sides[name] for name in (first, second) if name in self._sides]
        if len(sides) < 2 or any(pair_id not in places for _, places, _ in sides):
            return None
        one, other = (vectors[places[pair_id]] for _, places, vectors in sides)
        cosine = nearest(one, other[None], 1)[1]
        return float(cosine[0]) if len(cosine) else None


def _rows(frame: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
