"""The loss of the classifier, by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from rice_ssl.training.classifier_loss import balanced_weights, distillation_loss, pair_loss

LOGITS = torch.tensor([[[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]]).log()
JOINED = torch.tensor([[0.8, 0.1, 0.1]]).log()
CLASS_0 = torch.tensor([[1.0, 0.0, 0.0]])
BOTH, ONE = torch.tensor([[True, True]]), torch.tensor([[True]])


def test_of_images_and_pair():
    """Soft-max (.5, .25, .25) and (.25, .5, .25) of one pair of class 0; the pair's own besides."""
    assert float(pair_loss(LOGITS, JOINED, BOTH, CLASS_0)) == pytest.approx(
        (math.log(2) + math.log(4)) / 2 - math.log(0.8)
    )
    assert float(pair_loss(LOGITS[:, :1], JOINED, ONE, CLASS_0)) == pytest.approx(math.log(2))


def test_smoothed_labels():
    expected = 0.8 * math.log(2) + 0.2 * math.log(4)  # .3 is spread over three classes
    assert float(pair_loss(LOGITS[:, :1], JOINED, ONE, CLASS_0, smoothing=0.3)) == pytest.approx(expected)


def test_mixed_labels():
    target = torch.tensor([[0.7, 0.3, 0.0]])
    expected = 0.7 * math.log(2) + 0.3 * math.log(4)
    assert float(pair_loss(LOGITS[:, :1], JOINED, ONE, target)) == pytest.approx(expected)


def test_a_missing_image_does_not_count():
    present = torch.tensor([[True, False]])
    expected = math.log(2) - math.log(0.8)
    assert float(pair_loss(LOGITS, JOINED, present, CLASS_0)) == pytest.approx(expected)


def test_class_weights_multiply_the_loss():
    weights = torch.tensor([2.0, 1.0, 1.0])
    assert float(pair_loss(LOGITS[:, :1], JOINED, ONE, CLASS_0, weights=weights)) == pytest.approx(2 * math.log(2))


def test_balanced_weights_are_scikit_learns():
    targets = np.array([0, 0, 0, 1, 2, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    np.testing.assert_allclose(balanced_weights(targets, 3).numpy(), expected, rtol=1e-6)
    assert balanced_weights(np.array([0, 0, 2]), 3).tolist() == pytest.approx([0.75, 0.0, 1.5])


def test_distillation_is_the_divergence_from_the_teacher():
    student, teacher = np.array([0.5, 0.25, 0.25]), np.array([0.2, 0.2, 0.6])
    single = float((teacher * np.log(teacher / student)).sum())
    taught = (torch.tensor(teacher).log().float()[None, None], torch.tensor(teacher).log().float()[None])
    found = distillation_loss(LOGITS[:, :1], JOINED, ONE, taught, 1.0)
    assert float(found) == pytest.approx(single, rel=1e-5)
    assert float(distillation_loss(LOGITS, JOINED, BOTH, (LOGITS, JOINED), 3.0)) == pytest.approx(0, abs=1e-6)


def test_distillation_at_a_temperature():
    """Logits over T, and the divergence times T squared."""
    student, teacher = torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 0.0]])
    p, q = (np.exp([2 / 4, 0.0]), np.exp([1 / 4, 3 / 4]))
    p, q = p / p.sum(), q / q.sum()
    found = distillation_loss(student[:, None], student, ONE, (teacher[:, None], teacher), 4.0)
    assert float(found) == pytest.approx(16 * float((p * np.log(p / q)).sum()), rel=1e-5)
