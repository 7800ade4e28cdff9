"""The shapes that a fall of the level may take, as designs for least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DONE = 0.95
"""Share of the fall after which the new level counts as reached: an exponential tail never quite ends."""
DECAY = -float(np.log(1 - DONE))


@dataclass(frozen=True)
class Falls:
    """Falls of several shapes, lengths and onsets.

    Attributes:
        shares: how much of the fall has happened by each sample, in [0, 1], shape (F, N).
        onsets: index of the last sample on the old level, shape (F,).
        ends: index of the first sample past 95% of the fall, shape (F,).
        parts: shape parameters beyond a step: 0 for a step, 1 for a fall in one piece, 2 for one in two, shape (F,).
    """

    shares: Floats
    onsets: Ints
    ends: Ints
    parts: Ints

    @property
    def lengths(self) -> Ints:
        """Sample intervals from onset to end, shape (F,)."""
        return self.ends - self.onsets

    def only(self, which: npt.NDArray[np.bool_]) -> Falls:
        """Those for which ``which`` of shape (F,) is true."""
        return Falls(self.shares[which], self.onsets[which], self.ends[which], self.parts[which])

    def and_also(self, others: Falls) -> Falls:
        """These and others of the same samples."""
        mine, theirs = ((falls.shares, falls.onsets, falls.ends, falls.parts) for falls in (self, others))
        return Falls(*(np.concatenate(pair) for pair in zip(mine, theirs, strict=True)))


def falls(
    steps: Floats,
    lengths: Sequence[int],
    onsets: tuple[int, int],
    *,
    at_once: Sequence[float],
    fineness: int,
    room: int,
) -> Falls | None:
    """Every fall of the given lengths that starts within a stretch.

    Shapes: a step; a ramp; an S (a saddle is left and reached like this); an exponential approach, from the start or
    after a part that falls at once (a switch of the objective, and what is learned from it); two steps.

    Args:
        steps: strictly increasing, shape (N,).
        lengths: of the falls, in sample intervals.
        onsets: first and last index of the last sample on the old level.
        at_once: shares that fall within one interval where a slower part follows.
        fineness: a fall of n intervals is tried at every max(1, n // fineness)-th onset.
        room: samples that must be left on either side.

    Returns:
        The falls, or None where there is no room for one.
    """
    last = len(steps) - 1
    pairs = [
        (onset, length)
        for length in lengths
        for onset in range(onsets[0], onsets[1] + 1, max(1, length // fineness))
        if room <= onset and onset + length <= last - room
    ]
    if not pairs:
        return None
    onset, length = np.array(pairs).T
    here = steps[onset][:, None]
    first = steps[onset + 1][:, None]
    stop = steps[onset + length][:, None]
    begun = (steps > here).astype(np.float64)
    way = np.maximum(steps - here, 0) / (stop - here)
    capped = np.minimum(way, 1)
    several = length > 1
    shares, which, parts = [capped], [np.ones(len(onset), dtype=bool)], [several.astype(np.int64)]
    for share in (capped**2 * (3 - 2 * capped), 1 - np.exp(-DECAY * way)):
        shares.append(share[several])
        which.append(several)
        parts.append(np.ones(int(several.sum()), dtype=np.int64))
    later = np.maximum(steps - first, 0)[several] / (stop - first)[several]
    tail, second, begun = 1 - np.exp(-DECAY * later), (later >= 1).astype(np.float64), begun[several]
    for share_at_once in at_once:
        for rest in (tail, second):
            shares.append(begun * share_at_once + (1 - share_at_once) * rest)
            which.append(several)
            parts.append(np.full(int(several.sum()), 2))
    stacked = np.concatenate(shares)
    reached = stacked >= DONE - 1e-9
    ends = np.where(reached.any(axis=1), reached.argmax(axis=1), last)
    return Falls(stacked, np.concatenate([onset[chosen] for chosen in which]), ends, np.concatenate(parts))


@dataclass(frozen=True)
class Models:
    """Least squares of (line before) * (1 - share) + (line after) * share for several falls.

    The four columns are never built: their products are sums of the shares with powers of the time.

    Attributes:
        shares: of the falls, shape (F, N).
        t: time, scaled to about [-1, 1], shape (N,).
        inverse: of the Gram matrices of (level before, slope before, level after, slope after), shape (F, 4, 4).
    """

    shares: Floats
    t: Floats
    inverse: Floats

    @classmethod
    def of(cls, shares: Floats, t: Floats) -> Models:
        """Models of falls.

        Args:
            shares: shape (F, N).
            t: time, scaled to about [-1, 1], shape (N,).
        """
        powers = np.stack([np.ones_like(t), t, t**2], axis=1)
        once, twice, all_of = shares @ powers, shares**2 @ powers, powers.sum(axis=0)
        parts = {"before": all_of - 2 * once + twice, "across": once - twice, "after": twice}
        before, across, after = (
            np.stack([part[:, :2], part[:, 1:]], axis=1) for part in (parts["before"], parts["across"], parts["after"])
        )
        gram = np.concatenate(
            [np.concatenate([before, across], axis=2), np.concatenate([across, after], axis=2)], axis=1
        )
        ridge = 1e-10 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(4)
        return cls(shares, t, np.linalg.inv(gram + ridge))

    def _products(self, columns: Floats) -> Floats:
        """Products of the four columns of each model with M columns (N, M), shape (F, 4, M)."""
        timed = self.t[:, None] * columns
        level, slope = self.shares @ columns, self.shares @ timed
        return np.stack([columns.sum(axis=0) - level, timed.sum(axis=0) - slope, level, slope], axis=1)

    def rss(self, columns: Floats) -> Floats:
        """Residual sums of squares of each of M columns (N, M), shape (F, M).

        A line through each column is taken off first, since every model holds it: what is subtracted is then small.
        """
        line = np.polynomial.polynomial.polyvander(self.t, 1)
        columns = columns - line @ np.linalg.lstsq(line, columns, rcond=None)[0]
        total = (columns**2).sum(axis=0)
        rss = np.empty((len(self.shares), columns.shape[1]))
        chunk = max(1, 400_000 // columns.shape[1])  # so that a large family needs little memory
        for first in range(0, len(rss), chunk):
            part = slice(first, first + chunk)
            products = self.only(part)._products(columns)
            rss[part] = np.maximum(total - (products * (self.inverse[part] @ products)).sum(axis=1), 0)
        return rss

    def weights(self, y: Floats) -> Floats:
        """Level and slope of the line before and of the line after, for y of shape (N,), shape (F, 4)."""
        found: Floats = (self.inverse @ self._products(y[:, None]))[:, :, 0]
        return found

    def sizes(self, y: Floats) -> Floats:
        """Size of each fall in y of shape (N,): the old line over the new one at half of the fall, shape (F,)."""
        middles = (self.shares >= 0.5 - 1e-9).argmax(axis=1)
        halfway = (self.t[middles - 1] + self.t[middles]) / 2
        weights = self.weights(y)
        found: Floats = weights[:, 0] - weights[:, 2] + (weights[:, 1] - weights[:, 3]) * halfway
        return found

    def only(self, which: npt.NDArray[np.bool_] | slice) -> Models:
        """Those that ``which`` picks."""
        return Models(self.shares[which], self.t, self.inverse[which])

    def and_also(self, others: Models) -> Models:
        """These and others of the same samples."""
        return Models(
            np.concatenate([self.shares, others.shares]), self.t, np.concatenate([self.inverse, others.inverse])
        )
