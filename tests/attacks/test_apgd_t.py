"""Targeted AutoPGD: the classes it tries, and the exact robust accuracy of linear models of any number of classes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.apgd_t import APGDT
from dlcli.attacks.balls import Norm
from dlcli.classifier import class_logits, predicted_classes
from dlcli.contracts import Threat

SHAPE = (1, 4, 5)


def linear(classes: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A linear model, and 200 images far enough from the box for it not to matter."""
    torch.manual_seed(classes)
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, classes))
    inputs = 0.5 + 0.1 * (torch.rand(200, *SHAPE) - 0.5)
    with torch.no_grad():
        model[1].bias -= model(inputs).mean(dim=0)
    return model, inputs, predicted_classes(model(inputs))


def exact_distances(model: nn.Module, inputs: Tensor, norm: Norm) -> Tensor:
    """How far the nearest boundary is: min over k of (z_y - z_k) over the dual norm of w_y - w_k."""
    logits, weight = class_logits(model(inputs)).detach(), class_logits(model[1].weight.detach().T).T
    best = logits.argmax(dim=1, keepdim=True)
    slopes = (weight[best.flatten()][:, None] - weight).norm(p={"linf": 1, "l2": 2}[norm], dim=2)
    return ((logits.gather(1, best) - logits) / slopes).scatter(1, best, torch.inf).amin(dim=1)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
@pytest.mark.parametrize(("norm", "reach"), [("linf", 0.98), ("l2", 0.95)])
def test_on_a_linear_model_what_is_in_reach_is_broken_and_nothing_else(classes: int, norm: Norm, reach: float) -> None:
    model, inputs, targets = linear(classes)
    distances = exact_distances(model, inputs, norm)
    epsilon = float(distances.median())
    standing = predicted_classes(model(APGDT(epsilon=epsilon, norm=norm)(model, inputs, targets))) == targets
    assert standing[distances > 1.001 * epsilon].all()
    assert not standing[distances < reach * epsilon].any()


@pytest.mark.parametrize("count", [1, 2])
def test_it_takes_the_second_likeliest_error_where_the_likeliest_is_out_of_reach(count: int) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, 3))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([0.0, 0.0, 1.0])[:, None].expand(3, 20))
        model[1].bias.copy_(torch.tensor([0.0, -0.1, -11.0]))
    inputs, targets = torch.full((2, *SHAPE), 0.5), torch.zeros(2).long()
    attacked = predicted_classes(model(APGDT(epsilon=0.1, targets=count)(model, inputs, targets)))
    assert attacked.tolist() == {1: [0, 0], 2: [2, 2]}[count]


def test_a_goal_is_the_only_class_that_counts() -> None:
    model, inputs, targets = linear(4)
    goals = (targets + 1) % 4
    attacked = predicted_classes(model(APGDT(epsilon=0.1)(model, inputs, targets, goals=goals)))
    assert (attacked == goals).float().mean() > 0.9


def test_no_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="targets must be at least 1, got 0"):
        APGDT(epsilon=0.1, targets=0)


def test_the_threat_is_what_was_asked_for() -> None:
    assert APGDT(epsilon=0.25, norm="l2").threat == Threat("l2", 0.25)
