"""What a band is worth to a classifier: what it answers when the band says something else, or nothing.

A band is replaced in the pictures' own values, in [0, 1], before they are normalised with the sensor's mean and
standard deviation; the other bands, and the pair's other pictures, stay as they are. The answers are those of one
trained classifier. What another, trained without the band, would answer is another question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from rice_ssl.attribution.answer_rows import COLUMNS, Answers, Values, answer_rows, answers
from rice_ssl.attribution.band_values import MEAN, OTHER_PAIR, OTHER_SENSOR, BandSource, band_source, deranged
from rice_ssl.attribution.predict import Predict
from rice_ssl.sensors import Sensor
from rice_ssl.training.batches import Pictures, Rows, fill_missing
from rice_ssl.transforms.views import Batch, normalise


@dataclass(frozen=True)
class JudgedPairs:
    """Pairs to ask about.

    Attributes:
        ids: of P pairs.
        rows: manifest rows, shape (P, S), -1 for a missing picture; at least one a pair.
        targets: class numbers, shape (P,), -1 where unknown.
        splits: name of the split of each; a pair's donor is of the same split.
        groups: of each, empty for a pair by itself; a pair's donor is of another group where that can be.
    """

    ids: Sequence[str]
    rows: Rows
    targets: Rows
    splits: Sequence[str]
    groups: Sequence[str]

    def chosen(self, numbers: Rows) -> JudgedPairs:
        """Some of the pairs."""
        ids, splits, groups = ([several[k] for k in numbers] for several in (self.ids, self.splits, self.groups))
        return JudgedPairs(ids, self.rows[numbers], self.targets[numbers], splits, groups)


@dataclass(frozen=True)
class _Question:
    slot: int
    band: int
    replacement: str
    source: BandSource | None


@torch.no_grad()
def channel_table(
    predict: Predict,
    pictures: Pictures,
    pairs: JudgedPairs,
    sensors: Sequence[Sensor],
    classes: Sequence[str],
    means: Values,
    *,
    seen: Sequence[str] | None = None,
    batch_size: int = 64,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Replace each band of each sensor in turn, and note what becomes of the answers.

    ``other_pair`` draws one permutation a sensor and split (see :func:`rice_ssl.attribution.band_values.deranged`), the
    same for all its bands, so that bands are compared on the same donors. It disregards classes: the band then keeps
    its distribution and loses what it says of this pair, which is permutation importance. Donors of other classes
    alone would speak for a wrong class, and pairs without a label could not be treated alike. One draw suffices: which
    donor a pair gets is part of the spread between pairs, and so of the interval over pairs.

    Args:
        predict: the classifier.
        pictures: decoded pictures; tensors are made on its device.
        pairs: none that the classifier was trained on.
        sensors: S of them, in the order of ``pairs.rows``.
        classes: names, in the order of the logits.
        means: of each band, in [0, 1], shape (S, 3), as :func:`rice_ssl.attribution.band_values.band_means` gives them;
            where NaN, that question is left out.
        seen: names of the sensors whose pictures the classifier sees, and that are asked about; all where None. The
            others only lend their bands. Pairs without a picture of these are left out.
        batch_size: pairs at once; what is held in memory is a few batches of pictures.
        seed: of the permutations.
        progress: whether to show a progress bar.

    Returns:
        Columns :data:`rice_ssl.attribution.answer_rows.COLUMNS`; one row for each pair, sensor that it has, band and
        replacement that can be made.

    Source:
        ``other_pair`` is permutation importance, Breiman 2001 (section 10); differs: a pair never gets its own band.
    """
    shown = np.array([seen is None or sensor.name in seen for sensor in sensors])
    pairs = pairs.chosen(np.flatnonzero((pairs.rows[:, shown] >= 0).any(axis=1)))
    asking = _Asking(predict, pictures, pairs, _donors(pairs, seed), shown, sensors, classes, means)
    questions = [
        _Question(slot, band, replacement, source)
        for slot, sensor in enumerate(sensors)
        if shown[slot]
        for band in range(len(sensor.bands))
        for source in [band_source(sensors, slot, band)]
        for replacement in (MEAN, OTHER_PAIR, OTHER_SENSOR)
        if not (replacement == OTHER_SENSOR and source is None)
    ]
    parts: dict[_Question, list[pd.DataFrame]] = {question: [] for question in questions}
    bar = tqdm(total=len(pairs.ids) * len(questions), desc="channels", unit="picture", disable=not progress)
    with bar:
        for at in range(0, len(pairs.ids), batch_size):
            chosen = np.arange(at, min(at + batch_size, len(pairs.ids)))
            for question, part in asking.ask(chosen, questions):
                if part is not None:
                    parts[question].append(part)
                bar.update(len(chosen))
    found = [part for several in parts.values() for part in several]
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(found, ignore_index=True)[list(COLUMNS)]


def _donors(pairs: JudgedPairs, seed: int) -> Rows:
    """Number of the pair that gives each pair's sensor its band, shape (P, S); -1 for none."""
    donors = np.full(pairs.rows.shape, -1, dtype=np.int64)
    splits = np.asarray(pairs.splits)
    groups = [
        ("group", group) if group else ("pair", pair) for group, pair in zip(pairs.groups, pairs.ids, strict=True)
    ]
    for slot in range(pairs.rows.shape[1]):
        for split in dict.fromkeys(pairs.splits):
            able = np.flatnonzero((pairs.rows[:, slot] >= 0) & (splits == split))
            permuted = deranged([groups[k] for k in able], seed)
            donors[able, slot] = np.where(permuted >= 0, able[permuted], -1)
    return donors


@dataclass(frozen=True)
class _Asking:
    """What every batch of pairs is asked with; ``donors`` of shape (P, S), ``shown`` of shape (S,)."""

    predict: Predict
    pictures: Pictures
    pairs: JudgedPairs
    donors: Rows
    shown: npt.NDArray[np.bool_]
    sensors: Sequence[Sensor]
    classes: Sequence[str]
    means: Values

    def ask(self, chosen: Rows, questions: Sequence[_Question]) -> Iterator[tuple[_Question, pd.DataFrame | None]]:
        """Every question about some pairs, with its rows of the table; None where it can be asked of none of them."""
        rows = self.pairs.rows[chosen]
        there, filled = rows >= 0, fill_missing(rows)
        present = torch.from_numpy(there & self.shown).to(self.pictures.device)
        batches = [
            self.pictures.batch(filled[:, slot]) if there[:, slot].any() else None for slot in range(rows.shape[1])
        ]
        images = [
            None if one is None or not show else normalise(one.images, one.mean, one.std)
            for one, show in zip(batches, self.shown, strict=True)
        ]
        before = self.predict(images, present)
        lent: tuple[int, Tensor] | None = None  # pictures of one sensor's donors at a time
        for question in questions:
            slot, own = question.slot, batches[question.slot]
            may = self._may(question, chosen, there)
            if own is None or not may.any():
                yield question, None
                continue
            values: Tensor | float = float(self.means[slot, question.band])
            if question.replacement == OTHER_PAIR:
                if lent is None or lent[0] != slot:
                    donors = np.where(may, self.donors[chosen, slot], chosen)
                    lent_rows = np.where(may, self.pairs.rows[donors, slot], filled[:, slot])
                    lent = (slot, self.pictures.batch(lent_rows).images)
                values = lent[1][:, question.band]
            elif question.replacement == OTHER_SENSOR and question.source is not None:
                other = batches[question.source.sensor]
                values = values if other is None else other.images[:, question.source.band]
            changed = [*images[:slot], _replaced(own, question.band, values), *images[slot + 1 :]]
            yield question, self._rows(question, chosen, may, before, self.predict(changed, present))

    def _may(self, question: _Question, chosen: Rows, there: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which of the pairs a question can be asked of."""
        if question.replacement == OTHER_PAIR:
            may = self.donors[chosen, question.slot] >= 0
        elif question.source is not None and question.replacement == OTHER_SENSOR:
            may = there[:, question.source.sensor]
        else:
            may = np.isfinite(self.means[question.slot, question.band])
        found: npt.NDArray[np.bool_] = there[:, question.slot] & may
        return found

    def _rows(
        self,
        question: _Question,
        chosen: Rows,
        may: npt.NDArray[np.bool_],
        before: tuple[Tensor, Tensor],
        after: tuple[Tensor, Tensor],
    ) -> pd.DataFrame:
        kept, slot, sensor = chosen[may], question.slot, self.sensors[question.slot]
        donors = [self.pairs.ids[k] for k in self.donors[kept, slot]]
        first, second = (answers(found, slot) for found in (before, after))
        return pd.DataFrame(
            {
                "pair_id": [self.pairs.ids[k] for k in kept],
                "sensor": sensor.name,
                "band": sensor.bands[question.band],
                "replacement": question.replacement,
                "split": [self.pairs.splits[k] for k in kept],
                "donor": np.array(donors if question.replacement == OTHER_PAIR else [None] * len(kept), dtype=object),
                **answer_rows(
                    Answers(first.own[may], first.joint[may]),
                    Answers(second.own[may], second.joint[may]),
                    self.pairs.targets[kept],
                    (self.pairs.rows[kept][:, self.shown] >= 0).sum(axis=1) > 1,
                    self.classes,
                ),
            }
        )


def _replaced(batch: Batch, band: int, values: Tensor | float) -> Tensor:
    """Normalised pictures, shape (B, 3, H, W), with ``values`` in [0, 1] in place of one band."""
    images = batch.images.clone()
    images[:, band] = values
    return normalise(images, batch.mean, batch.std)
