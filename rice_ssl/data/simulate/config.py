"""Settings of a simulated data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rice_ssl.errors import InputError

#: Raise whenever the same seed would give other pictures.
GENERATOR_VERSION: Final = 1


@dataclass(frozen=True)
class SimulationConfig:
    """What to simulate.

    Attributes:
        pairs: number of pairs, >= 1.
        test_fraction: share of pairs in Test.csv, in [0, 1).
        seed: seed of the whole set, 0 to 2**32 - 1; a pair depends on (seed, index) alone.
    """

    pairs: int = 1200
    test_fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings out of range.

        Raises:
            InputError: names the setting, its value and the range.
        """
        if self.pairs < 1:
            raise InputError(f"pairs is {self.pairs}; give a number of at least 1.")
        if not 0.0 <= self.test_fraction < 1.0:
            raise InputError(f"test_fraction is {self.test_fraction}; give a share of at least 0 and below 1.")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed is {self.seed}; give a whole number from 0 to {2**32 - 1}.")
