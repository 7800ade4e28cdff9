"""``ablation.json``: what a grid of pretrainings found, as the dashboard reads it."""

from __future__ import annotations

from rice_ssl.artifacts.result_file import ResultFile

ABLATION_SCHEMA_VERSION = 1
"""Raise when a reader of the former would misread it."""
ABLATION_FILE = "ablation.json"
_FIELDS = (
    "name", "simulated", "conditions", "baseline", "seeds", "planned", "confidence", "bootstrap", "measures", "figures",
    "differences", "cells",
)  # fmt: skip
_ABLATION = ResultFile("ablation", ABLATION_FILE, ABLATION_SCHEMA_VERSION, _FIELDS, "rice-ssl ablate CONFIG")
read_ablation, write_ablation = _ABLATION.read, _ABLATION.write
