"""What the command line names: ``-- [--run DIR]... [--ablation DIR] [--comparison DIR]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

_ASSETS = Path(__file__).resolve().parent.parent / "assets"
ABLATION, COMPARISON, DEMO_RUN, EXAMPLES = (
    _ASSETS / name for name in ("ablation", "comparison", "demo", "examples")
)  # fmt: skip


def offered_runs() -> list[Path]:
    """Runs named on the command line (``--run DIR``, once or more); the demo run where none is."""
    return _arguments().run or [DEMO_RUN]


def ablation_folder() -> Path:
    """Folder of the ablation to show."""
    return Path(_arguments().ablation)


def comparison_folder() -> Path:
    """Folder of the comparison to show."""
    return Path(_arguments().comparison)


def _arguments() -> argparse.Namespace:
    """What the command line names; words that are not ours are Streamlit's."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--run", action="append", type=Path)
    parser.add_argument("--ablation", type=Path, default=ABLATION)
    parser.add_argument("--comparison", type=Path, default=COMPARISON)
    return parser.parse_known_args(sys.argv[1:])[0]
