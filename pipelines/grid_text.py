"""How far a grid of trainings is, and what came of it, in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def grid_text(
    done: int,
    planned: int,
    what: str,
    *,
    elsewhere: int,
    finished: bool,
    table: Sequence[dict[str, str]],
    failures: Sequence[str],
) -> str:
    """State, table and failures.

    Args:
        done: trainings whose results are there.
        planned: all of them.
        what: is trained, in the plural.
        elsewhere: that other processes are at.
        finished: whether none was stopped.
        table: a row for each condition.
        failures: a sentence for each training that cannot be had.
    """
    state = f"{done} of {planned} {what}"
    if elsewhere:
        state += f" ({elsewhere} are another process' work)"
    if not finished:
        state += "; stopped, the same command resumes"
    shown = pd.DataFrame(table).to_string(index=False) if table else "nothing yet"
    return "\n".join([state, shown, *(f"failed: {sentence}" for sentence in failures)])
