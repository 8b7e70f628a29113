"""Momentum FGSM against its definition, step by step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.mi_fgsm import MIFGSM
from dlcli.attacks.pgd import PGD
from dlcli.contracts import Threat

INPUTS = torch.rand(8, 1, 4, 5, generator=torch.Generator().manual_seed(0))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(20, 16), nn.Tanh(), nn.Linear(16, 3))


def by_definition(model: nn.Module, targets: Tensor, *, epsilon: float, steps: int, momentum: float) -> list[Tensor]:
    """All points of Algorithm 1 (the paper's g_t and x_t), from the example itself."""
    points, running = [INPUTS], torch.zeros_like(INPUTS)
    for _ in range(steps):
        leaf = points[-1].clone().requires_grad_()
        gradient = torch.autograd.grad(nn.functional.cross_entropy(model(leaf), targets, reduction="sum"), leaf)[0]
        running = momentum * running + gradient / gradient.flatten(1).norm(p=1, dim=1).reshape(-1, 1, 1, 1)
        moved = points[-1] + epsilon / steps * running.sign()
        points.append(moved.clamp(INPUTS - epsilon, INPUTS + epsilon).clamp(0, 1))
    return points


@pytest.mark.parametrize("momentum", [0.5, 1.0])
def test_the_point_that_comes_back_is_the_best_of_the_papers(momentum: float) -> None:
    model = network()
    targets = model(INPUTS).argmax(dim=1)
    points = by_definition(model, targets, epsilon=0.05, steps=5, momentum=momentum)
    losses = torch.stack([nn.functional.cross_entropy(model(point), targets, reduction="none") for point in points])
    expected = torch.stack(points)[losses.argmax(dim=0), torch.arange(8)]
    attack = MIFGSM(epsilon=0.05, steps=5, momentum=momentum, early_stop=False)
    assert torch.allclose(attack(model, INPUTS, targets), expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_without_momentum_it_is_bim(norm: str) -> None:
    model = network()
    targets = model(INPUTS).argmax(dim=1)
    plain = PGD(epsilon=0.05, norm=norm, steps=5, step_size=0.01, random_start=False)
    still = MIFGSM(epsilon=0.05, norm=norm, steps=5, step_size=0.01, momentum=0.0)
    assert torch.equal(still(model, INPUTS, targets), plain(model, INPUTS, targets))


@pytest.mark.parametrize("momentum", [-1.0, float("inf")])
def test_a_momentum_that_is_none_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match="momentum must be finite and at least 0, got"):
        MIFGSM(epsilon=0.1, momentum=momentum)


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        MIFGSM(epsilon=0.1, steps=0)


def test_the_threat_is_what_was_asked_for() -> None:
    assert MIFGSM(epsilon=0.25, norm="l2").threat == Threat("l2", 0.25)
