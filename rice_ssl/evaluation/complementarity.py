"""What two sensors know together that one alone does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from rice_ssl.evaluation.judged import Judged
from rice_ssl.evaluation.paired_tests import share_difference
from rice_ssl.evaluation.resampling import Bootstrap


def complementarity(
    first: Judged, second: Judged, joint: Judged | None, names: tuple[str, str], bootstrap: Bootstrap
) -> dict[str, Any] | None:
    """Who is right where, the best that knowing whom to trust could give, and how much of it the joint judgement has.

    The best single sensor is chosen on these same pairs, which flatters it. In ``gain_of_fusion`` it is then kept
    fixed, so that the gain is if anything too low. A bootstrap that chooses it anew in each repetition has the bias of
    a maximum: of two sensors equally good, its 95% intervals held the truth in 88% (percentile) and 91% (BCa) of
    simulated sets of 350 pairs, and in 80% and 83% of sets of 40; fixed, in 94% and 98%.

    Args:
        first: judgements of the first sensor; ``second``: of the second. Only labelled pairs that all have count.
        second: judgements of the second sensor.
        joint: judgements from all images; None where there are none, and then of the gain, too.
        names: of the two sensors.
        bootstrap: gives the confidence; shares have Wilson's intervals, the gain has Bonett and Price's.

    Returns:
        None of fewer than 2 pairs. ``of_oracle_gain``: gain of fusion as a share of what the oracle gains over the best
        single sensor; below 0 where fusion loses, None where the oracle gains nothing.
    """
    pairs = first.labelled().pairs.intersection(second.pairs, sort=False)
    if joint is not None:
        pairs = pairs.intersection(joint.pairs, sort=False)
    if len(pairs) < 2:
        return None
    a, b = first.of(pairs).right, second.of(pairs).right
    best = int(b.sum() > a.sum())
    single = (a, b)[best]
    found: dict[str, Any] = {
        "pairs": len(pairs),
        "both_right": int((a & b).sum()),
        "first_only": int((a & ~b).sum()),
        "second_only": int((b & ~a).sum()),
        "neither": int((~a & ~b).sum()),
        "oracle": bootstrap.share(a | b),
        "best_single": {"sensor": names[best], **(bootstrap.share(single) or {})},
        "joint": None,
        "gain_of_fusion": None,
        "of_oracle_gain": None,
    }
    if joint is None:
        return found
    together = joint.of(pairs).right
    gain = int(together.sum()) - int(single.sum())
    possible = int(np.sum(a | b)) - int(single.sum())
    return found | {
        "joint": bootstrap.share(together),
        "gain_of_fusion": share_difference(together, single, bootstrap.confidence).as_dict(),
        "of_oracle_gain": gain / possible if possible else None,
    }
