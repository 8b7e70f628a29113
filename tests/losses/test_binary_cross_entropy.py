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


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'none', got 'sum'"):
        BinaryCrossEntropy(reduction="sum")
