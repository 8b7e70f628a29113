"""Weights of classes, against scikit-learn and their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from dlcli.losses.cross_entropy import CrossEntropy
from dlcli.losses.hinge import Hinge
from dlcli.losses.mean_squared_error import MeanSquaredError
from dlcli.losses.weights import class_weight_tensor, positive_weight_tensor, reduced

COUNTS = torch.tensor([7, 2, 1])


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    labels = np.repeat([0, 1, 2], COUNTS.tolist())
    expected = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    weights = class_weight_tensor("balanced", COUNTS, key="class_weights")
    assert weights is not None
    assert weights.tolist() == pytest.approx(list(expected), rel=1e-6)


def test_the_balanced_weight_of_yes_is_the_number_of_no_for_each() -> None:
    weights = positive_weight_tensor("balanced", COUNTS)
    assert weights is not None
    assert weights.tolist() == pytest.approx([3 / 7, 8 / 2, 9 / 1])


def test_none_is_no_weights() -> None:
    assert class_weight_tensor("none", COUNTS, key="alpha") is None
    assert positive_weight_tensor("none", COUNTS) is None


def test_a_number_is_the_same_for_every_class() -> None:
    assert torch.equal(positive_weight_tensor(3.5, None), torch.tensor([3.5]))  # type: ignore[arg-type]


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_a_weight_that_is_not_positive_and_finite_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="pos_weight must be positive and finite"):
        positive_weight_tensor(weight, None)
    with pytest.raises(ValueError, match="alpha must be positive and finite"):
        class_weight_tensor([1.0, weight], None, key="alpha")


@pytest.mark.parametrize(("counts", "message"), [(None, "needs class_counts"), (torch.tensor([3, 0]), r"got counts \[3, 0\]")])
def test_balance_needs_an_example_of_every_class(counts: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=f"pos_weight 'balanced' .*{message}"):
        positive_weight_tensor("balanced", counts)
    with pytest.raises(ValueError, match=f"class_weights 'balanced' .*{message}"):
        class_weight_tensor("balanced", counts, key="class_weights")


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="pos_weight must be 'none', 'balanced' or a number, got 'much'"):
        positive_weight_tensor("much", None)
    with pytest.raises(ValueError, match="class_weights must be 'none', 'balanced' or a list of numbers, got 'much'"):
        class_weight_tensor("much", None, key="class_weights")


LOGITS, TARGETS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0], [0.1, 0.2, 0.3]]), torch.tensor([0, 2, 1])
SHARES = torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6]])


def test_a_weighted_mean_of_class_numbers_is_that_of_torchs_cross_entropy() -> None:
    weight = torch.tensor([1.0, 2.0, 5.0])
    each = torch.nn.functional.cross_entropy(LOGITS, TARGETS, reduction="none")
    for reduction in ("mean", "none"):
        theirs = torch.nn.functional.cross_entropy(LOGITS, TARGETS, weight=weight, reduction=reduction)
        assert torch.allclose(reduced(each, TARGETS, weight=weight, reduction=reduction), theirs)


def test_a_shared_example_weighs_the_mean_of_its_classes() -> None:
    weighted = reduced(torch.ones(3), SHARES, weight=torch.tensor([1.0, 2.0, 5.0]), reduction="none")
    assert weighted.tolist() == pytest.approx([1.3, 2.0, 3.6])
    assert reduced(torch.ones(3), SHARES, weight=torch.tensor([1.0, 2.0, 5.0]), reduction="mean").item() == pytest.approx(2.3)


@pytest.mark.parametrize("loss", [CrossEntropy, Hinge, MeanSquaredError])
def test_every_loss_with_class_weights_weighs_examples_the_same(loss: type) -> None:
    each = loss(reduction="none")(LOGITS, TARGETS)
    weights = class_weight_tensor("balanced", COUNTS, key="class_weights")
    assert weights is not None
    expected = (each * weights[TARGETS]).sum() / weights[TARGETS].sum()
    assert torch.allclose(loss(class_weights="balanced", class_counts=COUNTS)(LOGITS, TARGETS), expected)
