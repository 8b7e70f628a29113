"""FMN against the paper's rules, and exact distances on linear models."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Norm, distance
from dlcli.attacks.fmn import FMN
from dlcli.classifier import predicted_classes
from dlcli.contracts import Threat

SHAPE = (1, 4, 5)
NORMS: list[Norm] = ["linf", "l2"]


class Recorded(nn.Module):
    """A model that keeps every batch that it was shown."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.seen = inner, list[Tensor]()

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(inputs.detach().clone())
        return self.inner(inputs)


def plane(weight: list[float], bias: float) -> Recorded:
    """One binary logit w x + b of images of one row."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(len(weight), 1))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([weight]))
        model[1].bias.fill_(bias)
    return Recorded(model)


def row(*entries: float) -> Tensor:
    return torch.tensor(entries).reshape(1, 1, 1, -1)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
def test_on_a_linear_model_the_distances_are_exact(classes: int, norm: Norm, wide_linear: Any, exact_distances: Any) -> None:
    model, inputs, targets = wide_linear(classes)
    attacked = FMN(norm=norm)(model, inputs, targets)
    assert (predicted_classes(model(attacked)) != targets).all()
    ratio = distance(attacked - inputs, norm) / exact_distances(model, inputs, norm)
    assert ratio.min() >= 0.999
    # It climbs to the class that leads where it is, which for a few is not the nearest.
    assert ratio.quantile(0.9) <= 1.002
    assert ratio.max() <= 1.1


def test_the_first_radius_is_what_a_linear_model_needs_and_gamma_more() -> None:
    # f = 3a + 4b - 5 is -1.5 at (0.5, 0.5): |f| / ‖w‖₂ = 0.3 in L2, and |f| / ‖w‖₁ = 1.5 / 7 in Linf.
    for norm, radius in (("l2", 0.3), ("linf", 1.5 / 7)):
        model = plane([3.0, 4.0], -5.0)
        FMN(norm=norm, steps=1, gamma=0.1)(model, row(0.5, 0.5), torch.zeros(1).long())
        assert float(distance(model.seen[2] - model.seen[0], norm)) == pytest.approx(1.1 * radius, abs=1e-6)


def test_the_radius_shrinks_where_the_model_is_fooled_and_grows_where_it_is_not() -> None:
    model = plane([3.0, 4.0], -5.0)
    FMN(norm="l2", steps=6, gamma=0.1)(model, row(0.5, 0.5), torch.zeros(1).long())
    sizes = [float(distance(points - model.seen[0], "l2")) for points in model.seen[2:]]
    gammas = [0.001 + 0.099 * (1 + torch.tensor(torch.pi * step / 6).cos().item()) / 2 for step in range(6)]
    expected = [0.3 * (1 + gammas[0])]
    for gamma in gammas[1:]:
        expected.append(expected[-1] * (1 - gamma if expected[-1] > 0.3 else 1 + gamma))
    assert sizes == pytest.approx(expected, rel=1e-5)
    assert {size > 0.3 for size in sizes} == {True, False}


def test_what_comes_back_is_the_nearest_point_that_fooled_and_not_the_last() -> None:
    model = plane([3.0, 4.0], -5.0)
    attacked = FMN(norm="l2", steps=20)(model, row(0.5, 0.5), torch.zeros(1).long())
    fooling = [points for points in model.seen[:22] if (model.inner(points) > 0).all()]
    nearest = min(fooling, key=lambda points: float(distance(points - 0.5, "l2")))
    assert torch.equal(attacked, nearest)


def test_a_change_inside_the_ball_is_not_stretched_to_its_edge() -> None:
    # The step of 0.1 ends inside the radius of 0.315.
    model = plane([3.0, 4.0], -5.0)
    FMN(norm="l2", steps=1, step_size=0.1)(model, row(0.5, 0.5), torch.zeros(1).long())
    assert float(distance(model.seen[2] - model.seen[0], "l2")) == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_with_goals_the_boundary_of_the_goal_is_reached(norm: Norm, wide_linear: Any) -> None:
    model, inputs, targets = wide_linear(4)
    goals = (targets + 1) % 4
    attacked = FMN(norm=norm)(model, inputs, targets, goals=goals)
    assert (predicted_classes(model(attacked)) == goals).all()
    lead = model(attacked).gather(1, goals[:, None]) - model(attacked).scatter(1, goals[:, None], -torch.inf).amax(1)[:, None]
    assert lead.max() < 0.1 * (model(inputs).amax(1) - model(inputs).gather(1, goals[:, None]).squeeze(1)).max()


def test_where_the_gradient_is_zero_it_goes_off_at_random_and_arrives() -> None:
    class Cliff(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            far = ((inputs - 0.5).flatten(1).norm(dim=1) > 0.3).float()
            return torch.stack([1 - far, far], dim=1)

    attacked = FMN(norm="l2")(Cliff(), torch.full((3, *SHAPE), 0.5), torch.zeros(3).long())
    sizes = distance(attacked - 0.5, "l2")
    assert ((sizes > 0.3) & (sizes < 0.35)).all()
    assert not torch.allclose(attacked[0], attacked[1])


def test_what_cannot_be_fooled_comes_back_as_the_point_of_highest_margin() -> None:
    class Sure(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            height = inputs.mean(dim=(1, 2, 3))[:, None]
            return torch.cat([torch.full_like(height, 5.0), height], dim=1)

    attacked = FMN()(Sure(), torch.full((2, *SHAPE), 0.5), torch.zeros(2).long())
    assert torch.allclose(attacked, torch.ones_like(attacked))


def test_it_costs_a_forward_and_a_backward_pass_a_step_and_two_forward_passes_more() -> None:
    model = plane([1.0, 1.0], -5.0)
    FMN(steps=7)(model, row(0.5, 0.5), torch.zeros(1).long())
    assert len(model.seen) == 9


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_who_stands_on_a_boundary_steps_over_it(norm: Norm) -> None:
    # A tie goes to the first class, and without a bias a black image is one.
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, 3, bias=False))
    attacked = FMN(norm=norm)(model, torch.zeros(2, 1, 4, 5), torch.zeros(2).long())
    assert (predicted_classes(model(attacked)) != 0).all()
    assert distance(attacked, norm).max() < 1e-4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"norm": "l1"}, "norm must be 'linf' or 'l2', got 'l1'"),
        ({"step_size": 0.0}, "step_size must be finite and above 0, got 0.0"),
        ({"gamma": 0.0}, "gamma must be above 0 and below 1, got 0.0"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FMN(**wrong)


def test_a_minimum_norm_attack_has_no_radius() -> None:
    assert FMN(norm="linf").threat == Threat("linf", None)
