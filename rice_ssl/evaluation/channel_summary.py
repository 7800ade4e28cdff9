"""What replaced bands did to the answers, as ``channels.json`` holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from rice_ssl.evaluation.bootstrap import draws, mean_interval

Drawn = npt.NDArray[np.int64]


def channel_summary(table: pd.DataFrame, *, bootstrap: int, confidence: float, seed: int) -> list[dict[str, Any]]:
    """Figures of each split, sensor, band and replacement, with intervals over pairs.

    Args:
        table: from :func:`rice_ssl.attribution.channels.channel_table`, or several of them one below the other.
        bootstrap: repetitions, over pairs.
        confidence: of the intervals, in (0.5, 1).
        seed: of the bootstrap.

    Returns:
        In the table's order, for each question ``split``, ``sensor``, ``band``, ``replacement`` and

        - ``pairs``, ``flipped`` (share of pairs whose prediction by this sensor is another one) and ``divergence``
          (mean Jensen-Shannon divergence in bits of the sensor's probabilities before and after);
        - ``labelled``: None, or of the pairs with a label ``n``, ``accuracy`` and ``log_loss``, each ``before``,
          ``after`` and ``difference`` (after minus before, paired), and ``flips``, counts of ``right_to_wrong``,
          ``wrong_to_right``, ``wrong_to_wrong``;
        - ``joint``: None, or the same (without ``divergence``) of the pairs judged from all their pictures, of which
          this sensor's was changed: pairs with two or more.

        Every figure is ``value``, ``low``, ``high``. The interval of ``flipped`` is a bootstrap's; where all or none
        flipped, which a bootstrap takes for certain, the exact one of a binomial share (Clopper & Pearson 1934).
    """
    found = []
    for (split, sensor, band, replacement), part in table.groupby(
        ["split", "sensor", "band", "replacement"], sort=False
    ):
        drawn = draws(len(part), bootstrap, seed)
        several = part[part["joint_prediction"].notna()]
        joint = several.drop(columns=["original", "prediction", "flipped", "log_loss_before", "log_loss_after"]).rename(
            columns=lambda name: name.removeprefix("joint_")
        )
        found.append(
            {
                "split": split,
                "sensor": sensor,
                "band": band,
                "replacement": replacement,
                **_figures(part, drawn, bootstrap, confidence, seed),
                "divergence": mean_interval(part["divergence"].to_numpy(), drawn, confidence).as_dict(),
                "joint": None
                if joint.empty
                else _figures(joint, draws(len(joint), bootstrap, seed), bootstrap, confidence, seed),
            }
        )
    return found


def _figures(part: pd.DataFrame, drawn: Drawn, bootstrap: int, confidence: float, seed: int) -> dict[str, Any]:
    flipped = part["flipped"].to_numpy(dtype=float)
    share = mean_interval(flipped, drawn, confidence).as_dict()
    if flipped.min() == flipped.max():
        exact = binomtest(int(flipped.sum()), len(flipped)).proportion_ci(confidence, method="exact")
        share |= {"low": float(exact.low), "high": float(exact.high)}
    return {"pairs": len(part), "flipped": share, "labelled": _labelled(part, bootstrap, confidence, seed)}


def _labelled(part: pd.DataFrame, bootstrap: int, confidence: float, seed: int) -> dict[str, Any] | None:
    known = part[part["label"].notna()]
    if known.empty:
        return None
    drawn = draws(len(known), bootstrap, seed)
    was, now = ((known[name] == known["label"]).to_numpy() for name in ("original", "prediction"))
    costs = (known[name].to_numpy(dtype=float) for name in ("log_loss_before", "log_loss_after"))

    def compared(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> dict[str, Any]:
        values = {"before": before, "after": after, "difference": after - before}
        return {name: mean_interval(one, drawn, confidence).as_dict() for name, one in values.items()}

    return {
        "n": len(known),
        "accuracy": compared(was.astype(float), now.astype(float)),
        "log_loss": compared(*costs),
        "flips": {
            "right_to_wrong": int((was & ~now).sum()),
            "wrong_to_right": int((~was & now).sum()),
            "wrong_to_wrong": int((~was & ~now & known["flipped"].to_numpy(dtype=bool)).sum()),
        },
    }
