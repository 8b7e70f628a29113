"""DDN against the paper's rules, and exact distances on linear models."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import distance
from dlcli.attacks.ddn import DDN
from dlcli.classifier import predicted_classes
from dlcli.contracts import Threat

SHAPE = (1, 4, 5)


class Recorded(nn.Module):
    """Sure of class 0 unless a pixel of the first column is above ``above``; it keeps every batch that it was shown."""

    def __init__(self, above: float) -> None:
        super().__init__()
        self.above, self.seen = above, list[Tensor]()

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(inputs.detach().clone())
        height = inputs[:, 0, 0, 0] - self.above
        return torch.stack([-height, height], dim=1)


def lengths(model: Recorded) -> list[float]:
    """How far each point that was asked about lies from the first."""
    return [float(distance(points - model.seen[0], "l2")) for points in model.seen[1:]]


@pytest.mark.parametrize("classes", [1, 2, 3, 4])
def test_on_a_linear_model_the_distances_are_exact_to_a_percent(classes: int, wide_linear: Any, exact_distances: Any) -> None:
    # Where a model is not sure its cross-entropy pulls towards all classes at once, and not straight to the nearest.
    model, inputs, targets = wide_linear(classes, sure=1000)
    attacked = DDN()(model, inputs, targets)
    assert (predicted_classes(model(attacked)) != targets).all()
    ratio = distance(attacked - inputs, "l2") / exact_distances(model, inputs, "l2")
    assert ratio.min() >= 0.999
    assert ratio.median() <= 1.01
    # The last answers decide between lengths that are 5 % apart; a few run to a class that is not the nearest.
    assert ratio.quantile(0.8) <= 1.05


def test_the_length_grows_by_gamma_after_a_failure_and_shrinks_by_gamma_after_a_success() -> None:
    # At 0.5 + 0.1 the answer is still class 0; at 0.5 + 0.1 * 1.2 it is class 1 and the next length is 0.8 of that.
    model = Recorded(0.615)
    DDN(steps=3, initial_norm=0.1 / 1.2, gamma=0.2)(model, torch.full((1, *SHAPE), 0.5), torch.zeros(1).long())
    # The unchanged example is asked about once before the attack and once at its start.
    assert lengths(model) == pytest.approx([0, 0.1, 0.12, 0.12 * 0.8], abs=1e-6)


def test_what_comes_back_is_the_nearest_point_that_fooled_and_not_the_last() -> None:
    model = Recorded(0.615)
    attacked = DDN(steps=3, initial_norm=0.1 / 1.2, gamma=0.2)(model, torch.full((1, *SHAPE), 0.5), torch.zeros(1).long())
    assert torch.equal(attacked, model.seen[3])


def test_the_last_point_is_looked_at_too() -> None:
    model = Recorded(0.615)
    attacked = DDN(steps=2, initial_norm=0.1 / 1.2, gamma=0.2)(model, torch.full((1, *SHAPE), 0.5), torch.zeros(1).long())
    assert attacked[0, 0, 0, 0] == pytest.approx(0.62)


def test_with_goals_the_boundary_of_the_goal_is_reached(wide_linear: Any) -> None:
    model, inputs, targets = wide_linear(4)
    goals = (targets + 1) % 4
    attacked = DDN()(model, inputs, targets, goals=goals)
    assert (predicted_classes(model(attacked)) == goals).all()
    lead = model(attacked).gather(1, goals[:, None]) - model(attacked).scatter(1, goals[:, None], -torch.inf).amax(1)[:, None]
    assert lead.max() < 0.1 * (model(inputs).amax(1) - model(inputs).gather(1, goals[:, None]).squeeze(1)).max()


def test_where_the_gradient_is_zero_it_goes_off_at_random_and_arrives() -> None:
    class Cliff(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            far = ((inputs - 0.5).flatten(1).norm(dim=1) > 0.3).float()
            return torch.stack([1 - far, far], dim=1)

    attacked = DDN()(Cliff(), torch.full((3, *SHAPE), 0.5), torch.zeros(3).long())
    sizes = distance(attacked - 0.5, "l2")
    assert ((sizes > 0.3) & (sizes < 0.35)).all()
    assert not torch.allclose(attacked[0], attacked[1])


def test_what_cannot_be_fooled_comes_back_as_the_point_of_highest_margin() -> None:
    class Sure(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            height = inputs.mean(dim=(1, 2, 3))[:, None]
            return torch.cat([torch.full_like(height, 5.0), height], dim=1)

    attacked = DDN(steps=150)(Sure(), torch.full((2, *SHAPE), 0.5), torch.zeros(2).long())
    assert torch.allclose(attacked, torch.ones_like(attacked))


def test_it_costs_a_forward_and_a_backward_pass_a_step_and_two_forward_passes_more() -> None:
    model = Recorded(2.0)
    DDN(steps=7)(model, torch.full((1, *SHAPE), 0.5), torch.zeros(1).long())
    assert len(model.seen) == 9


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"initial_norm": 0.0}, "initial_norm must be finite and above 0, got 0.0"),
        ({"initial_norm": float("inf")}, "initial_norm must be finite and above 0, got inf"),
        ({"gamma": 1.0}, "gamma must be above 0 and below 1, got 1.0"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DDN(**wrong)


def test_a_minimum_norm_attack_has_no_radius() -> None:
    assert DDN().threat == Threat("l2", None)
