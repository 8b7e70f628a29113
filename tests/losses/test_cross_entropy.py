"""Cross-entropy against its formula, torch and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from dlcli.losses.cross_entropy import CrossEntropy

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 1.0, 4.0], [1.0, 2.0, 3.0]])
TARGETS = torch.tensor([0, 1, 2, 0])


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes() -> None:
    assert CrossEntropy()(torch.zeros(5, 10), torch.arange(5)).item() == pytest.approx(math.log(10), rel=1e-6)


def test_label_smoothing_is_the_mixture_with_uniform_targets() -> None:
    mixed = 0.9 * nn.functional.one_hot(TARGETS, 3) + 0.1 / 3
    expected = -(mixed * LOGITS.log_softmax(dim=1)).sum(dim=1).mean()
    assert CrossEntropy(label_smoothing=0.1)(LOGITS, TARGETS).item() == pytest.approx(expected.item(), rel=1e-6)


def test_one_binary_logit_costs_what_the_sigmoid_says() -> None:
    logit, targets = torch.tensor([[1.5], [-0.3]]), torch.tensor([1, 1])
    expected = -torch.sigmoid(logit).log().mean()
    assert CrossEntropy()(logit, targets).item() == pytest.approx(expected.item(), rel=1e-6)


def test_soft_targets_that_are_one_hot_equal_class_numbers() -> None:
    soft = nn.functional.one_hot(TARGETS, 3).float()
    assert torch.allclose(CrossEntropy()(LOGITS, soft), CrossEntropy()(LOGITS, TARGETS))


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    labels = np.array([0] * 7 + [1] * 2 + [2])
    expected = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    weight = CrossEntropy(class_weights="balanced", class_counts=torch.tensor([7, 2, 1])).weight
    assert weight is not None
    assert weight.tolist() == pytest.approx(list(expected), rel=1e-6)


def test_the_weighted_mean_is_divided_by_the_weights_of_the_examples() -> None:
    weights = [1.0, 2.0, 5.0]
    each = -LOGITS.log_softmax(dim=1)[torch.arange(4), TARGETS]
    of_example = torch.tensor(weights)[TARGETS]
    expected = (each * of_example).sum() / of_example.sum()
    assert CrossEntropy(class_weights=weights)(LOGITS, TARGETS).item() == pytest.approx(expected.item(), rel=1e-6)


def test_no_reduction_gives_one_value_per_example_whose_mean_is_the_loss() -> None:
    each = CrossEntropy(reduction="none")(LOGITS, TARGETS)
    assert each.shape == (4,)
    assert each.mean().item() == pytest.approx(CrossEntropy()(LOGITS, TARGETS).item(), rel=1e-6)


def test_weights_do_not_enter_the_state() -> None:
    assert CrossEntropy(class_weights=[1.0, 2.0]).state_dict() == {}


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.0, math.nan])
def test_label_smoothing_out_of_range_is_refused(label_smoothing: float) -> None:
    with pytest.raises(ValueError, match=r"label_smoothing must be in \[0, 1\), got"):
        CrossEntropy(label_smoothing=label_smoothing)


@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [1.0, -2.0], [1.0, math.inf], [1.0, math.nan]])
def test_weights_that_are_not_positive_and_finite_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="class_weights must be positive and finite"):
        CrossEntropy(class_weights=weights)


def test_a_list_of_weights_must_have_one_number_per_class() -> None:
    with pytest.raises(ValueError, match="one number per class, 3, got 2"):
        CrossEntropy(class_weights=[1.0, 2.0], class_counts=torch.tensor([3, 4, 5]))


def test_balanced_weights_need_an_example_of_every_class() -> None:
    with pytest.raises(ValueError, match=r"every class, got counts \[3, 0\]"):
        CrossEntropy(class_weights="balanced", class_counts=torch.tensor([3, 0]))


def test_balanced_weights_need_counts() -> None:
    with pytest.raises(ValueError, match="needs class_counts"):
        CrossEntropy(class_weights="balanced")


def test_an_unknown_word_for_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="class_weights must be 'none', 'balanced' or a list"):
        CrossEntropy(class_weights="balance")


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'none', got 'sum'"):
        CrossEntropy(reduction="sum")
