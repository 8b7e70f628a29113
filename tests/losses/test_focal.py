"""Focal loss against equations 4 and 5 of Lin et al. 2017, cross-entropy and torchvision."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.ops import sigmoid_focal_loss

from dlcli.losses.cross_entropy import CrossEntropy
from dlcli.losses.focal import Focal

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 1.0, 4.0], [1.0, 2.0, 3.0]])
TARGETS = torch.tensor([0, 1, 2, 0])
LOGIT, ANSWERS = torch.tensor([[1.5], [-0.3], [4.0], [-6.0]]), torch.tensor([1, 1, 0, 0])
SOFT = torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6], [0.5, 0.0, 0.5]])


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_it_is_equation_5(gamma: float) -> None:
    alpha = [1.0, 2.0, 5.0]
    p = LOGITS.softmax(dim=1)[torch.arange(4), TARGETS]
    expected = -torch.tensor(alpha)[TARGETS] * (1 - p) ** gamma * p.log()
    torch.testing.assert_close(Focal(gamma=gamma, alpha=alpha, reduction="none")(LOGITS, TARGETS), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize(("logits", "targets"), [(LOGITS, TARGETS), (LOGIT, ANSWERS), (LOGITS, SOFT)])
def test_without_focus_it_is_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> None:
    torch.testing.assert_close(Focal(gamma=0.0)(logits, targets), CrossEntropy()(logits, targets), rtol=1e-7, atol=0)


@pytest.mark.parametrize("alpha", ["none", 0.25])
def test_one_logit_is_the_binary_focal_loss_of_torchvision(alpha: Any) -> None:
    theirs = -1 if alpha == "none" else alpha
    logit = LOGIT.double()  # theirs loses digits where p is near 1
    expected = sigmoid_focal_loss(logit[:, 0], ANSWERS.double(), alpha=theirs, gamma=2.0, reduction="none")
    torch.testing.assert_close(Focal(alpha=alpha, reduction="none")(logit, ANSWERS), expected, rtol=1e-6, atol=0)


def test_an_example_that_is_nine_tenths_right_counts_a_hundredth() -> None:
    logits = torch.tensor([[math.log(9.0), 0.0]])
    ratio = Focal()(logits, torch.tensor([0])) / CrossEntropy()(logits, torch.tensor([0]))
    assert ratio.item() == pytest.approx(0.01, rel=1e-5)


def test_soft_targets_are_the_mixture_of_the_classes_they_share() -> None:
    each = Focal(reduction="none")
    mixed = sum(SOFT[:, number] * each(LOGITS, torch.full((4,), number)) for number in range(3))
    torch.testing.assert_close(each(LOGITS, SOFT), mixed)


def test_balanced_alpha_is_the_weight_of_cross_entropy() -> None:
    counts = torch.tensor([7, 2, 1])
    torch.testing.assert_close(
        Focal(gamma=0.0, alpha="balanced", class_counts=counts, reduction="none")(LOGITS, TARGETS),
        CrossEntropy(class_weights="balanced", class_counts=counts, reduction="none")(LOGITS, TARGETS),
    )


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("size", [100.0, 1e4])
def test_value_and_gradient_are_finite_where_the_model_is_surely_right_or_wrong(gamma: float, size: float) -> None:
    logits = torch.tensor([[size, -size], [-size, size]], requires_grad=True)
    each = Focal(gamma=gamma, reduction="none")(logits, torch.tensor([0, 0]))
    each.sum().backward()
    assert each.tolist() == pytest.approx([0.0, 2 * size], abs=1e-30)
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert logits.grad[1].tolist() == pytest.approx([-1.0, 1.0])


def test_its_gradient_is_that_of_finite_differences() -> None:
    logits = LOGITS.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: Focal(gamma=1.5)(given, TARGETS), (logits,))


def test_alpha_does_not_enter_the_divisor_of_the_mean() -> None:
    each = Focal(alpha=[1.0, 2.0, 5.0], reduction="none")(LOGITS, TARGETS)
    assert torch.allclose(Focal(alpha=[1.0, 2.0, 5.0])(LOGITS, TARGETS), each.mean())


def test_it_learns_the_rare_class_of_an_unbalanced_problem_faster_than_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    common, rare = torch.randn(380, 2, generator=generator), torch.randn(20, 2, generator=generator) + 2.0
    inputs, targets = torch.cat([common, rare]), torch.tensor([0] * 380 + [1] * 20)
    found = {}
    for name, loss in (("focal", Focal(gamma=2.0, alpha="balanced", class_counts=targets.bincount())), ("plain", CrossEntropy())):
        layer = nn.Linear(2, 1)
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
        for _ in range(50):
            optimizer.zero_grad()
            loss(layer(inputs), targets).backward()
            optimizer.step()
        found[name] = float((layer(rare) > 0).float().mean())
    assert found["focal"] > found["plain"] + 0.2


@pytest.mark.parametrize("gamma", [-0.1, math.inf, math.nan])
def test_a_focus_out_of_range_is_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match="gamma must be 0 or more"):
        Focal(gamma=gamma)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
def test_one_alpha_must_be_a_share(alpha: float) -> None:
    with pytest.raises(ValueError, match=r"alpha must be in \(0, 1\)"):
        Focal(alpha=alpha)


def test_one_alpha_is_for_two_classes() -> None:
    with pytest.raises(ValueError, match="alpha must have one number per class, 3, got 2"):
        Focal(alpha=0.25, class_counts=torch.tensor([1, 2, 3]))


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'none', got 'sum'"):
        Focal(reduction="sum")
