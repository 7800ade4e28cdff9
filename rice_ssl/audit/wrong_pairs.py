"""Pairs whose two images do not show the same plant: by what the images show, and by embeddings where there are any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rice_ssl.audit.matching import FITS, Matcher, Structure
from rice_ssl.embeddings.neighbours import unit_rows

MIN_SHARE = 0.8
"""Share of the pairs that must fit for image evidence to say something of those that do not."""
MAX_MEDIAN_RANK = 0.02
"""Median of the own image's rank, as a share of all, up to which embeddings say something of a pair."""
NEAR_RANK, FAR_RANK = 0.01, 0.25
"""Ranks, as a share of all: a pair whose images do not fit is kept where embeddings put them this near; a pair is wrong
by embeddings alone where they put them this far."""
_BLOCK = 1024


def rank_shares(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Rank of each pair's own second image among all, and of its first, as shares; the better of the two directions.

    Args:
        first: embeddings of one sensor, shape (P, D), P >= 2.
        second: of the other, same order.

    Returns:
        0 where the own image is the nearest, 1 where it is the farthest; shape (P,). A tie counts against it.
    """
    one, other = unit_rows(first), unit_rows(second)
    found = []
    for query, gallery in ((one, other), (other, one)):
        parts = []
        for start in range(0, len(query), _BLOCK):
            similarity = query[start : start + _BLOCK] @ gallery.T
            own = similarity[np.arange(len(similarity)), start + np.arange(len(similarity))]
            parts.append((similarity >= own[:, None]).sum(axis=1) - 1)
        found.append(np.concatenate(parts) / (len(query) - 1))
    shares: npt.NDArray[np.float64] = np.minimum(*found)
    return shares


def mutual_partners(
    first: npt.NDArray[np.floating], second: npt.NDArray[np.floating], positions: Sequence[int]
) -> dict[int, int]:
    """For each of some pairs' first images, the second image among theirs that is mutually nearest, if any is."""
    if len(positions) < 2:
        return {}
    places = np.array(positions)
    similarity = unit_rows(first[places]) @ unit_rows(second[places]).T
    to, back = similarity.argmax(axis=1), similarity.argmax(axis=0)
    return {int(places[k]): int(places[to[k]]) for k in range(len(places)) if back[to[k]] == k and to[k] != k}


def judge_pairs(
    heights: npt.NDArray[np.floating], ranks: npt.NDArray[np.floating] | None
) -> tuple[npt.NDArray[np.int64], str, str]:
    """Which pairs are wrong, from which source, and a sentence on the sources.

    A source is used where it holds for most pairs: images where ``MIN_SHARE`` of the pairs fit, embeddings where the
    median pair's own image is among the nearest ``MAX_MEDIAN_RANK``. Where both do, a pair must fail by both.

    Args:
        heights: of each pair's best fit, shape (P,); ``FITS`` or more fits, inf where registration was certain already.
        ranks: from :func:`rank_shares`, NaN where a pair has no embedding; None where there are none.
    """
    share = float((heights >= FITS).mean()) if len(heights) else 0.0
    told = [f"the images of {share:.0%} of the pairs fit each other"]
    usable = share >= MIN_SHARE
    if not usable:
        told[0] += f", fewer than {MIN_SHARE:.0%}, so that says nothing of the others"
    known = None if ranks is None or not np.isfinite(ranks).any() else ranks
    trusted = False
    if known is not None:
        median = float(np.nanmedian(known))
        trusted = median <= MAX_MEDIAN_RANK
        told.append(f"by embeddings, the median pair's own image is among the nearest {median:.1%}")
        if not trusted:
            told[-1] += f", not {MAX_MEDIAN_RANK:.0%}, so they were not used"
    wrong = np.zeros(len(heights), dtype=bool)
    if usable:
        wrong = heights < FITS
        if trusted and known is not None:
            wrong &= ~(known <= NEAR_RANK)
    elif trusted and known is not None:
        wrong = known >= FAR_RANK
    source = {(True, True): "images and embeddings", (True, False): "images", (False, True): "embeddings"}.get(
        (usable, trusted), "none"
    )
    note = "; ".join(told)
    return np.flatnonzero(wrong).astype(np.int64), source, note[0].upper() + note[1:] + "."


def find_partners(matcher: Matcher, first: Sequence[Structure], second: Sequence[Structure]) -> dict[int, int]:
    """Among pairs that do not fit, whose second image fits whose first.

    Args:
        matcher: for images of this size.
        first: structures of the first images, of S pairs.
        second: of the second images, same order.

    Returns:
        Position of a pair -> position of the pair whose second image fits its first one.
    """
    found: dict[int, int] = {}
    left = set(range(len(first)))
    for place in range(len(second)):
        # Where two pairs were exchanged, the way back is tried alone, and first.
        back = [found[place]] if found.get(place) in left else []
        for tried in (back, sorted(left - {place})):
            hit = matcher.find([first[one] for one in tried], second[place])
            if hit is not None:
                found[tried[hit[0]]] = place
                left.discard(tried[hit[0]])
                break
    return found
