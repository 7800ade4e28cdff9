"""Simulated pairs of rice-leaf photographs, in the layout of the Zindi challenge, with the truth about them."""

from rice_ssl.data.simulate.config import SimulationConfig
from rice_ssl.data.simulate.dataset import SimulatedDataset, simulate_dataset

__all__ = ["SimulatedDataset", "SimulationConfig", "simulate_dataset"]
