"""The Brier score as a loss, against scikit-learn and its bounds."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import brier_score_loss
from torch import nn

from dlcli.losses.mean_squared_error import MeanSquaredError

LOGITS, TARGETS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0], [0.1, 0.2, 0.3]]), torch.tensor([0, 2, 1])


def test_it_is_the_brier_score_of_scikit_learn_summed_over_classes() -> None:
    expected = brier_score_loss(TARGETS.numpy(), LOGITS.double().softmax(dim=1).numpy(), labels=[0, 1, 2], scale_by_half=False)
    assert MeanSquaredError()(LOGITS, TARGETS).item() == pytest.approx(expected, rel=1e-6)


def test_one_binary_logit_costs_twice_the_squared_error_of_its_sigmoid() -> None:
    logit, targets = torch.tensor([[1.5], [-0.3]]), torch.tensor([1, 1])
    expected = 2 * (torch.sigmoid(logit[:, 0]) - 1).square()
    assert torch.allclose(MeanSquaredError(reduction="none")(logit, targets), expected)


def test_a_sure_and_wrong_answer_costs_two() -> None:
    assert MeanSquaredError()(torch.tensor([[100.0, -100.0]]), torch.tensor([1])).item() == pytest.approx(2.0)


def test_soft_targets_that_are_one_hot_equal_class_numbers() -> None:
    soft = nn.functional.one_hot(TARGETS, 3).float()
    assert torch.equal(MeanSquaredError()(LOGITS, soft), MeanSquaredError()(LOGITS, TARGETS))


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'none', got 'sum'"):
        MeanSquaredError(reduction="sum")
