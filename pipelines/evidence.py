"""``rice-ssl evidence``: the evidence of some leaves as one HTML page, or as pictures and a table in a ZIP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rice_ssl.artifacts import RunStore, atomic_path
from rice_ssl.errors import InputError
from rice_ssl.evidence.archive import to_zip
from rice_ssl.evidence.choose import most_divergent_pairs, worst_pairs
from rice_ssl.evidence.leaf import Evidence
from rice_ssl.evidence.page import to_page
from rice_ssl.evidence.read import read_leaves

WRITERS: dict[str, Callable[[Evidence], bytes]] = {".html": to_page, ".zip": to_zip}
"""Ending of the file -> what makes it."""


@dataclass(frozen=True)
class EvidenceSummary:
    """What was written: the file, its bytes, the leaves in it, and what the run lacks, a sentence each."""

    file: str
    bytes: int
    pairs: list[str]
    missing: list[str]

    def text(self) -> str:
        """Readable summary."""
        count = len(self.pairs)
        lines = [f"{count} {'leaf' if count == 1 else 'leaves'} in {self.file} ({self.bytes / 1e6:.1f} MB)"]
        return "\n".join([*lines, *(f"Not in it: {sentence}" for sentence in self.missing)])


def run_evidence(
    store: RunStore, out: Path, *, pairs: str | None = None, worst: int | None = None, disagree: int | None = None
) -> EvidenceSummary:
    """Write the evidence of leaves that are named, or of the worst maps, or of the sensors that differ most.

    Args:
        store: the run; nothing is written to it.
        out: ends in ``.html`` or ``.zip``; written whole, or not at all.
        pairs: pair ids, joined by commas.
        worst: how many leaves with the worst maps, by :func:`rice_ssl.evidence.choose.worst_pairs`.
        disagree: how many, by :func:`rice_ssl.evidence.choose.most_divergent_pairs`.

    Raises:
        InputError: not one of the three, a file of another kind or that cannot be written, or leaves that are not
            there, or too many.
        ArtifactError: the run lacks what is asked for.
    """
    writer = WRITERS.get(out.suffix.lower())
    if writer is None:
        raise InputError(f"--out is {out}: name a file that ends in .html (one page) or .zip (pictures and a table).")
    if sum(asked is not None for asked in (pairs, worst, disagree)) != 1:
        raise InputError("Say which leaves: one of --pairs ID,ID, --worst N and --disagree N.")
    if worst is not None:
        ids = worst_pairs(store, worst)
    elif disagree is not None:
        ids = most_divergent_pairs(store, disagree)
    else:
        ids = [pair_id.strip() for pair_id in (pairs or "").split(",") if pair_id.strip()]
    evidence = read_leaves(store, ids)
    content = writer(evidence)
    try:
        with atomic_path(out) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror or error}): name another --out.") from None
    return EvidenceSummary(
        out.as_posix(), len(content), [leaf.pair_id for leaf in evidence.leaves], list(evidence.run.missing)
    )
