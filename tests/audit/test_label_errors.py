import numpy as np
import pytest

from rice_ssl.audit.label_errors import calibrated, confident_joint, label_margins, suspect_labels
from rice_ssl.audit.out_of_fold import probabilities_out_of_fold

LABELS = np.array([0, 0, 0, 1, 1, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.55, 0.45], [0.7, 0.3]])


def test_confident_joint_by_hand():
    """Thresholds: (.9 + .8 + .1) / 3 = .6 and (.7 + .45 + .3) / 3 = .4833; image 4 is confidently of no class."""
    joint = confident_joint(LABELS, PROBABILITIES)
    assert joint.thresholds == pytest.approx([0.6, 1.45 / 3])
    assert joint.confident.tolist() == [0, 0, 1, 1, -1, 0]
    assert joint.counts.tolist() == [[2, 1], [1, 1]]


def test_of_two_classes_reached_the_likelier_holds():
    labels = np.array([0, 1, 2])
    probabilities = np.array([[0.4, 0.35, 0.25], [0.5, 0.3, 0.2], [0.3, 0.3, 0.4]])
    assert confident_joint(labels, probabilities).confident.tolist() == [0, 0, 2]


def test_margins_and_ranking_by_hand():
    assert label_margins(LABELS, PROBABILITIES) == pytest.approx([-0.8, -0.6, 0.8, -0.4, 0.1, 0.4])
    assert suspect_labels(LABELS, PROBABILITIES, max_probability=1.0).tolist() == [2, 5]
    assert suspect_labels(LABELS, PROBABILITIES, max_probability=0.2).tolist() == [2]
    assert suspect_labels(LABELS, PROBABILITIES, max_probability=0.05).tolist() == []


def test_a_model_that_knows_nothing_names_nobody():
    labels = np.random.default_rng(0).integers(0, 3, 300)
    guess = np.random.default_rng(1).dirichlet((1, 1, 1), 300)
    assert len(suspect_labels(labels, calibrated(labels, guess)[0])) == 0


def test_the_temperature_makes_the_labels_likeliest():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (4000, 3))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in truth])
    sharp = truth**3 / (truth**3).sum(axis=1, keepdims=True)
    scaled, temperature = calibrated(labels, sharp)
    assert temperature == pytest.approx(3, rel=0.1)
    assert np.abs(scaled - truth).max() < 0.05


def test_a_class_without_images_has_no_threshold_and_wrong_shapes_are_refused():
    joint = confident_joint(np.array([0, 0]), np.array([[0.5, 0.5], [0.2, 0.8]]))
    assert np.isnan(joint.thresholds[1])
    assert joint.confident.tolist() == [0, -1]
    with pytest.raises(ValueError, match=r"labels run from 0 to 2"):
        confident_joint(np.array([0, 2]), np.array([[0.5, 0.5], [0.2, 0.8]]))
    with pytest.raises(ValueError, match="do not fit"):
        label_margins(np.array([0]), np.array([[1.0]]))


def test_planted_flips_come_first_on_separable_images():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 240)
    vectors = np.eye(3)[truth] @ rng.normal(0, 3, (3, 10)) + rng.normal(0, 1, (240, 10))
    labels = truth.copy()
    labels[:12] = (truth[:12] + 1) % 3
    folds = rng.permutation(240) % 5
    found = probabilities_out_of_fold(vectors, labels, folds, 3)
    assert found.sum(axis=1) == pytest.approx(np.ones(240))
    named = suspect_labels(labels, calibrated(labels, found)[0])
    assert len(set(range(12)) & set(named.tolist())) >= 10
    assert set(named[:10].tolist()) <= set(range(12))
    assert len(named) <= 15


def test_no_pair_is_judged_by_a_model_that_saw_it():
    """Two pictures of one fold hold the only sign of class 1: out of fold, nothing is left to tell them by."""
    vectors = np.zeros((40, 2))
    labels, folds = np.arange(40) % 2, np.arange(40) // 10
    vectors[:, 0] = np.where(folds == 0, labels, 0)
    found = probabilities_out_of_fold(vectors, labels, folds, 2)
    assert np.abs(found[folds == 0] - 0.5).max() < 0.01
    with pytest.raises(ValueError, match="fewer than two classes"):
        probabilities_out_of_fold(vectors, labels, np.zeros(40, int), 2)
