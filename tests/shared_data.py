"""Real data beside this checkout, which is no part of it: tests that read it are skipped where it is missing."""

from pathlib import Path

import pytest

URBAN_TREES = Path(__file__).parent.parent.parent / "shared" / "data" / "urban-trees"
needs_urban_trees = pytest.mark.skipif(
    not (URBAN_TREES / "registration.csv").is_file(), reason=f"{URBAN_TREES} is not here"
)
