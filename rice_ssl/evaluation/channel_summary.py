"""What replaced bands did to the answers, as ``channels.json`` holds it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from rice_ssl.evaluation.paired_tests import share_difference
from rice_ssl.evaluation.resampling import Bootstrap


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

        Every figure is ``value``, ``low``, ``high``: Wilson's interval of shares, Bonett and Price's of the difference
        of accuracy, that of :func:`rice_ssl.evaluation.resampling.mean_of` of ``log_loss`` and ``divergence``, which
        are None of one pair alone, as it shows no spread.
    """
    found, made = [], Bootstrap(bootstrap, confidence, seed)
    for (split, sensor, band, replacement), part in table.groupby(
        ["split", "sensor", "band", "replacement"], sort=False
    ):
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
                **_figures(part, made),
                "divergence": made.mean(part["divergence"].to_numpy(dtype=float)),
                "joint": None if joint.empty else _figures(joint, made),
            }
        )
    return found


def _figures(part: pd.DataFrame, made: Bootstrap) -> dict[str, Any]:
    flipped = part["flipped"].to_numpy(dtype=bool)
    return {"pairs": len(part), "flipped": made.share(flipped), "labelled": _labelled(part, made)}


def _labelled(part: pd.DataFrame, made: Bootstrap) -> dict[str, Any] | None:
    known = part[part["label"].notna()]
    if known.empty:
        return None
    was, now = ((known[name] == known["label"]).to_numpy(dtype=bool) for name in ("original", "prediction"))
    before, after = (known[name].to_numpy(dtype=float) for name in ("log_loss_before", "log_loss_after"))
    return {
        "n": len(known),
        "accuracy": {
            "before": made.share(was),
            "after": made.share(now),
            "difference": share_difference(now, was, made.confidence).as_dict(),
        },
        "log_loss": {"before": made.mean(before), "after": made.mean(after), "difference": made.mean(after - before)},
        "flips": {
            "right_to_wrong": int((was & ~now).sum()),
            "wrong_to_right": int((~was & now).sum()),
            "wrong_to_wrong": int((~was & ~now & known["flipped"].to_numpy(dtype=bool)).sum()),
        },
    }
