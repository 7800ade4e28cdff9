"""Do two sensors' maps of one pair point to the same place, more than those of different pairs do?

Maps are compared cell by cell after the second is laid on the first by a shift, or as they are. Where the shift is not
known, what needs none (:func:`strength`, :func:`spread`) can still be compared. A method's maps may all lie somewhat in
the middle, so a figure means something only next to its null: that of each first map with second maps of other pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from rice_ssl.errors import InputError
from rice_ssl.evaluation.localisation import interpolation

Maps = npt.NDArray[np.floating]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """How far two maps of each of N pairs agree; NaN where they cannot be compared.

    Attributes:
        overlap: soft intersection over union, in [0, 1]: sum of the lesser over sum of the greater of the two maps'
            shares of their own sums. Negative values count as 0.
        rank_correlation: Spearman's over cells, in [-1, 1]; of signed maps as they are.
        centre_distance: between the centres of mass, as a share of the diagonal, >= 0. Negative values count as 0.
    """

    overlap: Values
    rank_correlation: Values
    centre_distance: Values


def compare(first: Maps, second: Maps, shifts: Values | None = None) -> Agreement:
    """Compare maps of the same class by two sensors.

    Args:
        first: shape (N, h, w), N any.
        second: of the same shape.
        shifts: None, or for each pair the share of the width and of the height, shape (N, 2), to add to a place in the
            second to come to the same thing in the first, as the audit's ``registration`` has it in pixels. The second
            map is interpolated there; cells of the first that lie outside the second are left out of both.

    Returns:
        Of each pair. NaN where, in the cells that both have, either map has nothing above 0 (overlap and distance) or
        is constant (rank correlation).

    Raises:
        InputError: the shapes do not match.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 3 or a.shape != b.shape or (shifts is not None and shifts.shape != (len(a), 2)):
        raise InputError(
            f"The maps have shapes {a.shape} and {b.shape}{'' if shifts is None else f', the shifts {shifts.shape}'}: "
            "give (N, h, w) twice, and (N, 2), of the same pairs."
        )
    shared = np.ones(a.shape, dtype=bool)
    if shifts is not None:
        b, shared = _shifted(b, shifts)
    shares = [_shares(np.where(shared, maps, 0)) for maps in (a, b)]
    greater = np.maximum(*shares).sum(axis=(1, 2))
    overlap = np.minimum(*shares).sum(axis=(1, 2)) / greater
    (x1, y1), (x2, y2) = (_centre(share) for share in shares)
    height, width = a.shape[1:]
    distance = np.hypot((x1 - x2) * width, (y1 - y2) * height) / np.hypot(width, height)
    return Agreement(overlap, spearman(a, b, shared), distance)


def map_agreement(
    first: Maps, second: Maps, *, shifts: Values | None = None, draws: int = 20, seed: int = 0
) -> pd.DataFrame:
    """Compare each pair's maps, and each first map with second maps of other pairs.

    Args:
        first: of the first sensor, shape (N, h, w).
        second: of the second sensor, for the same class of the same pairs, of the same shape.
        shifts: see :func:`compare`; a pair's shift stays its own when it gets another pair's map, so that the same
            cells are compared.
        draws: second maps of other pairs for each first map, >= 1. In each draw everyone gets another pair's, and each
            is given once.
        seed: of the draws.

    Returns:
        One row a pair: ``overlap``, ``rank_correlation``, ``centre_distance``; ``null_overlap``,
        ``null_rank_correlation``, ``null_centre_distance`` (means over the draws that can be compared);
        ``strength_first``, ``strength_second``, ``spread_first``, ``spread_second``; ``p_overlap``, (1 + draws that
        overlap as much or more) / (1 + draws). NaN where there is nothing to compare: no other pair, or an empty map.

    Raises:
        InputError: shapes do not match, or no draw.
    """
    if draws < 1:
        raise InputError(f"draws is {draws}: take 1 or more.")
    own = compare(first, second, shifts)
    null = [compare(first, second[order], shifts) for order in derangements(len(first), draws, seed)]
    columns = {"overlap": own.overlap, "rank_correlation": own.rank_correlation, "centre_distance": own.centre_distance}
    for name in tuple(columns):
        columns[f"null_{name}"] = _mean(np.array([getattr(one, name) for one in null]).reshape(len(null), len(first)))
    for name, maps in (("first", first), ("second", second)):
        columns[f"strength_{name}"], columns[f"spread_{name}"] = strength(maps), spread(maps)
    others = np.array([one.overlap for one in null]).reshape(len(null), len(first))
    compared = np.isfinite(others).sum(axis=0)
    as_good = (others >= own.overlap - 1e-12).sum(axis=0)
    known = np.isfinite(own.overlap) & (compared > 0)
    columns["p_overlap"] = np.where(known, (1 + as_good) / (1 + compared), np.nan)
    return pd.DataFrame(columns)


def strength(maps: Maps) -> Values:
    """Highest value of each map, shape (N, h, w), in its unit (logits for a CAM), shape (N,)."""
    found: Values = np.asarray(maps, dtype=np.float64).max(axis=(1, 2))
    return found


def spread(maps: Maps) -> Values:
    """Over what share of the cells each map is spread: exp of the entropy of its cells' shares, over their number.

    Args:
        maps: shape (N, h, w); negative values count as 0.

    Returns:
        From 1 / (h * w), all in one cell, to 1, the same everywhere; NaN of a map with nothing above 0; shape (N,).
    """
    shares = _shares(np.asarray(maps, dtype=np.float64))
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=(1, 2))
    found: Values = np.exp(entropy) / shares[0].size if len(shares) else entropy
    return found


def spearman(a: Maps, b: Maps, shared: npt.NDArray[np.bool_] | None = None) -> Values:
    """Spearman's correlation over the cells of maps.

    Args:
        a: shape (N, h, w).
        b: of the same shape.
        shared: which cells count, of the same shape; all where None.

    Returns:
        In [-1, 1], equal cells at their mean rank, NaN where a map is constant, shape (N,).
    """
    if len(a) and (shared is None or shared.all()):
        return _correlation(*(rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (a, b)))
    found = np.full(len(a), np.nan)
    for number, cells in enumerate(() if shared is None else shared):
        if cells.any():
            found[number] = _correlation(*(rankdata(maps[number][cells])[None] for maps in (a, b)))[0]
    return found


def derangements(count: int, draws: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Permutations of 0..count-1 without a fixed point; none of one thing.

    Each puts all in a random order and gives everyone the one that is a random number of places further on.
    """
    rng, found = np.random.default_rng([seed, 13]), []
    for _ in range(draws if count > 1 else 0):
        order = rng.permutation(count)
        given = np.empty(count, dtype=np.int64)
        given[order] = np.roll(order, -int(rng.integers(1, count)))
        found.append(given)
    return found


def _shifted(maps: Values, shifts: Values) -> tuple[Values, npt.NDArray[np.bool_]]:
    """Second maps as seen from the first's cells, and which cells they reach."""
    height, width = maps.shape[1:]
    x = np.arange(width) - shifts[:, :1] * width
    y = np.arange(height) - shifts[:, 1:] * height
    inside = ((y >= -0.5) & (y <= height - 0.5))[:, :, None] & ((x >= -0.5) & (x <= width - 0.5))[:, None, :]
    across, down = interpolation(x, width), interpolation(y, height)
    return np.einsum("nij,njk,nlk->nil", down, maps, across, optimize=True), inside


def _shares(maps: Values) -> Values:
    """Each cell's share of the sum of the cells above 0; NaN of maps that have none."""
    above = np.maximum(maps, 0)
    total = above.sum(axis=(1, 2), keepdims=True)
    found: Values = above / np.where(total > 0, total, np.nan)
    return found


def _centre(shares: Values) -> tuple[Values, Values]:
    """Centre of mass as shares of the width and height."""
    height, width = shares.shape[1:]
    x, y = ((np.arange(side) + 0.5) / side for side in (width, height))
    return (shares.sum(axis=1) * x).sum(axis=1), (shares.sum(axis=2) * y).sum(axis=1)


def _correlation(a: Values, b: Values) -> Values:
    """Pearson's correlation of rows."""
    a, b = (values - values.mean(axis=1, keepdims=True) for values in (a, b))
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    found: Values = (a * b).sum(axis=1) / np.where(scale > 0, scale, np.nan)
    return found


def _mean(values: Values) -> Values:
    """Mean over the first axis of what is not NaN; NaN where all is."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    found: Values = np.where(known, values, 0).sum(axis=0) / np.where(count > 0, count, np.nan)
    return found
