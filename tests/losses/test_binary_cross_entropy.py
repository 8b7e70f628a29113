"""Binary cross-entropy against its formula."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.losses.binary_cross_entropy import BinaryCrossEntropy
from dlcli.losses.cross_entropy import CrossEntropy

LOGIT, ANSWERS = torch.tensor([[1.5], [-0.3], [4.0]]), torch.tensor([1, 0, 0])
LOGITS, TARGETS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]]), torch.tensor([0, 2])


def test_one_logit_costs_the_negative_log_of_the_sigmoid() -> None:
    p = torch.sigmoid(LOGIT[:, 0])
    expected = -torch.stack([p[0].log(), (1 - p[1]).log(), (1 - p[2]).log()])
    assert torch.allclose(BinaryCrossEntropy(reduction="none")(LOGIT, ANSWERS), expected, rtol=1e-5)


def test_one_logit_equals_cross_entropy_over_two_classes() -> None:
    assert torch.allclose(BinaryCrossEntropy()(LOGIT, ANSWERS), CrossEntropy()(LOGIT, ANSWERS))


def test_several_logits_are_asked_one_class_against_the_rest() -> None:
    p, yes = torch.sigmoid(LOGITS), nn.functional.one_hot(TARGETS, 3)
    expected = -(yes * p.log() + (1 - yes) * (1 - p).log()).mean()
    assert BinaryCrossEntropy()(LOGITS, TARGETS).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(("logits", "targets", "classes"), [(LOGIT, ANSWERS, 2), (LOGITS, TARGETS, 3)])
def test_soft_targets_that_are_one_hot_equal_class_numbers(logits: torch.Tensor, targets: torch.Tensor, classes: int) -> None:
    soft = nn.functional.one_hot(targets, classes).float()
    assert torch.equal(BinaryCrossEntropy()(logits, soft), BinaryCrossEntropy()(logits, targets))


def test_the_mean_is_over_the_examples() -> None:
    each = BinaryCrossEntropy(reduction="none")(LOGITS, TARGETS)
    assert each.shape == (2,)
    assert torch.allclose(each.mean(), BinaryCrossEntropy()(LOGITS, TARGETS))


@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_a_yes_counts_as_often_as_pos_weight_says(weight: float) -> None:
    theirs = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([weight]))(LOGIT[:, 0], ANSWERS.float())
    assert torch.allclose(BinaryCrossEntropy(pos_weight=weight)(LOGIT, ANSWERS), theirs)


def test_a_balanced_yes_counts_as_many_times_as_there_are_more_no() -> None:
    counts = torch.tensor([2, 1])
    ours = BinaryCrossEntropy(pos_weight="balanced", class_counts=counts)
    assert torch.equal(ours(LOGIT, ANSWERS), BinaryCrossEntropy(pos_weight=2.0)(LOGIT, ANSWERS))


def test_each_class_against_the_rest_is_balanced_by_its_own_counts() -> None:
    counts = torch.tensor([1, 4, 5])
    expected = nn.functional.binary_cross_entropy_with_logits(
        LOGITS, nn.functional.one_hot(TARGETS, 3).float(), pos_weight=torch.tensor([9.0, 6 / 4, 1.0])
    )
    assert torch.allclose(BinaryCrossEntropy(pos_weight="balanced", class_counts=counts)(LOGITS, TARGETS), expected)


@pytest.mark.parametrize("weights", ["balanced", [1.0, 4.0]])
def test_class_weights_weigh_examples_as_in_cross_entropy(weights: list[float] | str) -> None:
    counts = torch.tensor([2, 1])
    ours = BinaryCrossEntropy(class_weights=weights, class_counts=counts)
    assert torch.allclose(ours(LOGIT, ANSWERS), CrossEntropy(class_weights=weights, class_counts=counts)(LOGIT, ANSWERS))


def test_on_the_training_data_a_balanced_yes_and_balanced_classes_differ_by_a_factor_only() -> None:
    counts = torch.tensor([2, 1])
    by_yes = BinaryCrossEntropy(pos_weight="balanced", class_counts=counts)(LOGIT, ANSWERS)
    by_class = BinaryCrossEntropy(class_weights="balanced", class_counts=counts)(LOGIT, ANSWERS)
    assert torch.allclose(by_yes, by_class * 2 * 2 / 3)


def test_a_shared_example_weighs_the_mean_of_its_classes() -> None:
    shares = torch.tensor([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])
    plain = BinaryCrossEntropy(reduction="none")(LOGIT, shares)
    weighted = BinaryCrossEntropy(class_weights=[1.0, 5.0], reduction="none")(LOGIT, shares)
    assert torch.allclose(weighted, plain * torch.tensor([4.0, 1.0, 3.0]))
    assert torch.allclose(BinaryCrossEntropy(class_weights=[1.0, 5.0])(LOGIT, shares), weighted.mean())


def test_weights_do_not_enter_the_state() -> None:
    assert BinaryCrossEntropy(pos_weight=2.0, class_weights=[1.0, 2.0]).state_dict() == {}


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'none', got 'sum'"):
        BinaryCrossEntropy(reduction="sum")
