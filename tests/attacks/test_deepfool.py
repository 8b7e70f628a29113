"""DeepFool against the paper's formulas, and exact distances on linear models."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Norm, distance
from dlcli.attacks.deepfool import DeepFool
from dlcli.classifier import predicted_classes
from dlcli.contracts import Threat

SHAPE = (1, 4, 5)
NORMS: list[Norm] = ["linf", "l2"]
# What the authors' code adds to the length of each step.
EXTRA = 1e-4


def plane(weight: list[float], bias: float) -> nn.Module:
    """One binary logit w x + b of images of one row."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(len(weight), 1))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([weight]))
        model[1].bias.fill_(bias)
    return model


def row(*entries: float) -> Tensor:
    return torch.tensor(entries).reshape(1, 1, 1, -1)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("overshoot", [0.005, 0.02])
def test_on_a_linear_model_one_step_leads_to_the_nearest_boundary_and_by_the_overshoot_beyond(
    norm: Norm, *, classes: int, overshoot: float, linear: Any, exact_distances: Any
) -> None:
    model, inputs, targets = linear(classes)
    attacked = DeepFool(norm=norm, steps=1, overshoot=overshoot)(model, inputs, targets)
    assert (predicted_classes(model(attacked)) != targets).all()
    expected = (1 + overshoot) * (exact_distances(model, inputs, norm) + EXTRA)
    assert torch.allclose(distance(attacked - inputs, norm), expected, rtol=1e-5, atol=1e-6)


def test_in_l2_the_step_is_the_papers_formula() -> None:
    # f = 3a + 4b - 5 is -1.5 at (0.5, 0.5): r = 1.5 / 25 * (3, 4) = (0.18, 0.24), equation (3).
    attacked = DeepFool(norm="l2", overshoot=0.02)(plane([3.0, 4.0], -5.0), row(0.5, 0.5), torch.zeros(1).long())
    assert torch.allclose(attacked, row(0.5 + 1.02 * (0.18 + 0.6 * EXTRA), 0.5 + 1.02 * (0.24 + 0.8 * EXTRA)))


def test_in_linf_the_step_is_the_papers_formula() -> None:
    # |f| / ‖w‖₁ * sign w = 1.5 / 7 in each entry, section 3.3.
    attacked = DeepFool(norm="linf", overshoot=0.02)(plane([3.0, -4.0], -1.0), row(0.5, 0.5), torch.zeros(1).long())
    step = 1.5 / 7 + EXTRA
    assert torch.allclose(attacked, row(0.5 + 1.02 * step, 0.5 - 1.02 * step))


def test_where_the_box_cuts_steps_short_the_boundary_is_crossed_all_the_same() -> None:
    # a + b has to exceed 1.7 and a is at 1 already, so half of each step is lost, and each leaves half of the way.
    attacked = DeepFool(norm="l2")(plane([1.0, 1.0], -1.7), row(1.0, 0.1), torch.zeros(1).long())
    assert attacked.sum() > 1.7
    assert torch.allclose(attacked, row(1.0, 0.7), atol=1e-3)


def test_who_stands_on_a_boundary_steps_over_it() -> None:
    # A tie goes to the first class, so at a + b = 1 it is still class 0.
    attacked = DeepFool(norm="l2")(plane([1.0, 1.0], -1.0), row(0.5, 0.5), torch.zeros(1).long())
    assert torch.allclose(attacked, row(0.5, 0.5) + 1.02 * EXTRA / 2**0.5, atol=1e-6)
    assert attacked.sum() > 1


def test_the_overshoot_is_on_the_sum_of_the_steps_and_steps_begin_where_that_leads() -> None:
    class Curved(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.mean(dim=(1, 2, 3))[:, None].sqrt() - 0.7**0.5

    total, at, steps = 0.0, 0.2, 0
    while at <= 0.7:
        total += (0.7**0.5 - at**0.5) * 2 * at**0.5 + EXTRA
        at, steps = 0.2 + 1.02 * total, steps + 1
    assert steps == 3
    attacked = DeepFool(norm="linf", overshoot=0.02)(Curved(), row(0.2), torch.zeros(1).long())
    assert attacked.item() == pytest.approx(at, abs=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_with_fewer_classes_to_look_at_what_is_found_is_no_nearer(norm: Norm, linear: Any) -> None:
    model, inputs, targets = linear(10)
    few, all_ = (distance(DeepFool(norm=norm, targets=count)(model, inputs, targets) - inputs, norm) for count in (1, 9))
    assert (all_ <= few + 1e-6).all()
    assert (all_ < 0.95 * few).any()


@pytest.mark.parametrize("norm", NORMS)
def test_with_goals_the_boundary_of_the_goal_is_reached(norm: Norm, linear: Any) -> None:
    model, inputs, targets = linear(4)
    goals = (targets + 1) % 4
    attacked = DeepFool(norm=norm)(model, inputs, targets, goals=goals)
    assert (predicted_classes(model(attacked)) == goals).all()
    beyond = model(attacked).gather(1, goals[:, None]) - model(attacked).scatter(1, goals[:, None], -torch.inf).amax(
        1, keepdim=True
    )
    assert beyond.max() < 0.1 * (model(inputs).amax(1) - model(inputs).gather(1, goals[:, None]).squeeze(1)).max()


def test_what_is_fooled_leaves_the_batch_and_costs_no_more(linear: Any) -> None:
    model, inputs, targets = linear(3)
    sizes: list[int] = []
    model.register_forward_hook(lambda _module, _inputs, output: sizes.append(len(output)))
    DeepFool(steps=50)(model, inputs, targets)
    # The unchanged examples, two classes of each, and the points that a step leads to.
    assert sizes == [50, 100, 50]


def test_classes_without_a_slope_are_not_gone_to() -> None:
    class Flat(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            height = inputs.mean(dim=(1, 2, 3))
            return torch.stack([torch.full_like(height, 0.7), torch.full_like(height, 0.69), height], dim=1)

    attacked = DeepFool()(Flat(), torch.full((1, *SHAPE), 0.5), torch.zeros(1).long())
    assert torch.allclose(attacked, torch.full((1, *SHAPE), 0.5 + 1.02 * 0.2), atol=1e-4)


def test_what_cannot_be_fooled_comes_back_as_the_point_of_highest_margin() -> None:
    class Sure(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            height = inputs.mean(dim=(1, 2, 3))[:, None]
            return torch.cat([torch.full_like(height, 5.0), height], dim=1)

    attacked = DeepFool()(Sure(), torch.full((2, *SHAPE), 0.5), torch.zeros(2).long())
    assert torch.allclose(attacked, torch.ones_like(attacked))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"targets": 0}, "targets must be at least 1, got 0"),
        ({"norm": "l1"}, "norm must be 'linf' or 'l2', got 'l1'"),
        ({"overshoot": -0.1}, "overshoot must be finite and at least 0, got -0.1"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DeepFool(**wrong)


def test_a_minimum_norm_attack_has_no_radius() -> None:
    assert DeepFool(norm="linf").threat == Threat("linf", None)
