"""A figure with its interval, as the command line writes it."""

from __future__ import annotations

from collections.abc import Mapping


def figure_text(figure: Mapping[str, float]) -> str:
    """``0.800 [0.750, 0.850]``, of ``value``, ``low`` and ``high``."""
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
