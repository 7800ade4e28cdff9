"""Intervals hold the truth as often as they say: pairs are drawn from a population whose figures are known exactly."""

import dataclasses

import numpy as np
import pytest
from scipy.special import softmax

from rice_ssl.evaluation.agreement import kappa_interval
from rice_ssl.evaluation.judge import judge_figures
from rice_ssl.evaluation.metrics import hits, log_losses
from rice_ssl.evaluation.paired_tests import paired_difference
from rice_ssl.evaluation.resampling import Bootstrap

CLASSES = ["blast", "brown", "healthy"]
POPULATION, REPETITIONS = 20_000, 400


@dataclasses.dataclass
class Leaves:
    """Labels (N,) and probabilities (N, C) of two judges, of whom the first is a little better."""

    labels: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def of(self, rows):
        return Leaves(self.labels[rows], self.first[rows], self.second[rows])


def population(seed=0):
    """Classes are uneven, the judges err together, and both are too sure."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, POPULATION, p=[0.5, 0.3, 0.2])
    common = 0.8 * rng.normal(size=(POPULATION, 3))
    logits = [1.5 * np.eye(3)[labels] + common + noise * rng.normal(size=(POPULATION, 3)) for noise in (0.8, 1.0)]
    return Leaves(labels, *(softmax(1.7 * each, axis=1) for each in logits))


def intervals(leaves, how):
    """Everything that is tested, of one set of pairs."""
    count = len(leaves.labels)
    found = judge_figures(
        leaves.first,
        leaves.labels,
        CLASSES,
        bootstrap=how.repetitions,
        confidence=how.confidence,
        seed=how.seed,
    )
    for name, score in (("accuracy", hits), ("log_loss", log_losses)):
        scores = [score(each, leaves.labels) for each in (leaves.first, leaves.second)]
        found[f"difference of {name}"] = paired_difference(*scores, how.pairs(count), how.confidence).as_dict()
    predicted = (each.argmax(axis=1) for each in (leaves.first, leaves.second))
    kappa = kappa_interval(*predicted, len(CLASSES), how)
    return found | {"kappa": kappa.as_dict()}


def coverage(count, simulations, repetitions=REPETITIONS):
    """For each figure: the share of simulations in which its 95% interval holds the population's value."""
    everyone = population()
    truth = {name: one["value"] for name, one in intervals(everyone, Bootstrap(1, 0.95, 0)).items()}
    rng, how = np.random.default_rng(1), Bootstrap(repetitions, 0.95, 0)
    held, values = dict.fromkeys(truth, 0), {name: [] for name in truth}
    for _ in range(simulations):
        found = intervals(everyone.of(rng.integers(0, POPULATION, count)), how)
        for name, one in found.items():
            held[name] += one["low"] <= truth[name] <= one["high"]
            values[name].append((one["low"], one["value"], one["high"]))
    low, value, high = np.array(values["ece"]).T
    held["ece"] = ((low <= value.mean()) & (value.mean() <= high)).sum()  # of what so many pairs show, bias included
    return {name: number / simulations for name, number in held.items()}


@pytest.fixture(scope="module")
def measured():
    return coverage(350, 1000)


PAIRED = ("difference of accuracy", "difference of log_loss")
NAMES = ("accuracy", "log_loss", "macro_f1", "brier", "kappa", "ece", *PAIRED)


@pytest.mark.parametrize("name", NAMES)
def test_an_interval_of_95_percent_holds_the_truth_in_93_to_97_percent(measured, name):
    assert 0.93 <= measured[name] <= 0.97
