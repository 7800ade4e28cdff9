"""``rice-ssl simulate``: make a data set of simulated pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rice_ssl.data.simulate import SimulationConfig, simulate_dataset


@dataclass(frozen=True)
class SimulationSummary:
    """What was made.

    Attributes:
        folder: where the images lie.
        pairs: pairs in all.
        drawn: pairs drawn by this call; the rest was there already.
        train: labelled pairs.
        test: pairs of Test.csv.
        labels: pairs per class.
        evidence: pairs whose lesions show in ``both`` sensors (healthy ones count here), in ``rgb`` or ``rgnir`` alone.
        test_labels: the CSV with the test pairs' labels, for ``evaluate`` alone.
    """

    folder: str
    pairs: int
    drawn: int
    train: int
    test: int
    labels: dict[str, int]
    evidence: dict[str, int]
    test_labels: str

    def text(self) -> str:
        """Tell it to people."""
        labels = ", ".join(f"{count} {label}" for label, count in self.labels.items())
        one_sensor = sum(count for kind, count in self.evidence.items() if kind != "both")
        return (
            f"{self.folder}: {self.pairs} simulated pairs ({self.drawn} drawn now), "
            f"{self.train} train, {self.test} test\n"
            f"classes: {labels}; lesions in one sensor only: {one_sensor}\n"
            f"labels of the test pairs: {self.test_labels}"
        )


def simulate(
    folder: Path,
    pairs: int = 1200,
    test_fraction: float = 0.25,
    seed: int = 0,
    workers: int = 2,
    progress: bool = True,
) -> SimulationSummary:
    """Make simulated pairs in the challenge's layout; goes on where an interrupted call stopped.

    Args:
        folder: a new or empty folder, or one that a call with the same settings began.
        pairs: number of pairs, >= 1.
        test_fraction: share of test pairs, in [0, 1).
        seed: seed of every random choice, 0 to 2**32 - 1.
        workers: processes that draw, >= 1.
        progress: whether to show a bar on stderr.

    Returns:
        A summary of plain values.

    Raises:
        InputError: a setting out of range, or a folder that holds something else.
    """
    made = simulate_dataset(folder, SimulationConfig(pairs, test_fraction, seed), workers=workers, progress=progress)
    return SimulationSummary(
        folder=folder.as_posix(),
        pairs=pairs,
        drawn=made.drawn,
        train=made.train,
        test=made.test,
        labels=made.labels,
        evidence=made.evidence,
        test_labels=(folder / "test_labels.csv").as_posix(),
    )
