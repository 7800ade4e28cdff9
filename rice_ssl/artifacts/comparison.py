"""``comparison.json``: what several trained classifiers, compared on the same pairs, found."""

from __future__ import annotations

from rice_ssl.artifacts.result_file import ResultFile

COMPARISON_SCHEMA_VERSION = 1
"""Raise when a reader of the former would misread it."""
COMPARISON_FILE = "comparison.json"
_FIELDS = (
    "name", "simulated", "classes", "sensors", "confidence", "bootstrap", "folds", "seeds", "planned", "done",
    "conditions", "differences", "label_efficiency", "transfer",
)  # fmt: skip
_COMPARISON = ResultFile("comparison", COMPARISON_FILE, COMPARISON_SCHEMA_VERSION, _FIELDS, "rice-ssl compare CONFIG")
read_comparison, write_comparison = _COMPARISON.read, _COMPARISON.write
