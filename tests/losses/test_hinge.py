"""Hinge loss against torch's, scikit-learn's and its definition."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import hinge_loss

from dlcli.errors import UsageError
from dlcli.losses.hinge import Hinge

LOGITS, TARGETS = torch.tensor([[2.0, -1.0, 1.5], [0.0, 3.0, -2.0], [0.1, 0.2, 5.3]]), torch.tensor([0, 2, 2])
LOGIT, ANSWERS = torch.tensor([[1.5], [-0.3], [4.0], [-6.0]]), torch.tensor([1, 1, 0, 0])


def test_several_classes_cost_what_scikit_learn_says_of_crammer_and_singer() -> None:
    expected = hinge_loss(TARGETS.numpy(), LOGITS.numpy(), labels=[0, 1, 2])
    assert Hinge()(LOGITS, TARGETS).item() == pytest.approx(expected, rel=1e-6)


def test_one_logit_costs_what_scikit_learn_says_of_two_classes() -> None:
    expected = hinge_loss(ANSWERS.numpy(), LOGIT[:, 0].numpy())
    assert Hinge()(LOGIT, ANSWERS).item() == pytest.approx(expected, rel=1e-6)


def test_two_logits_cost_what_their_difference_does() -> None:
    pair = torch.cat([torch.zeros_like(LOGIT), LOGIT], dim=1)
    assert torch.equal(Hinge(reduction="none")(pair, ANSWERS), Hinge(reduction="none")(LOGIT, ANSWERS))


def test_a_lead_of_the_margin_costs_nothing_and_has_no_gradient() -> None:
    logits = torch.tensor([[3.0, 0.5]], requires_grad=True)
    Hinge(margin=2.0)(logits, torch.tensor([0])).backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0.0, 0.0]]
    assert Hinge(margin=3.0)(logits, torch.tensor([0])).item() == 0.5


def test_shares_of_classes_are_refused() -> None:
    with pytest.raises(UsageError, match="one class per example"):
        Hinge()(torch.zeros(1, 2), torch.tensor([[0.5, 0.5]]))


@pytest.mark.parametrize("margin", [0.0, -1.0, math.inf, math.nan])
def test_a_margin_that_is_not_positive_and_finite_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be positive and finite"):
        Hinge(margin=margin)


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'none', got 'sum'"):
        Hinge(reduction="sum")
