"""The loop that iterated attacks share: which points it looks at, which it keeps, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import ascend, check_counts, check_step_size
from dlcli.attacks.examples import Examples, lent
from dlcli.attacks.losses import log_odds
from dlcli.randomness import SampleKeys


class Counted(nn.Module):
    """A model that notes how many examples each forward pass had."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.sizes = inner, list[int]()

    def forward(self, inputs: Tensor) -> Tensor:
        self.sizes.append(len(inputs))
        return self.inner(inputs)


class Wave(nn.Module):
    """Two classes; the loss of class 0 is a wave over the one input, so that a long step can lead down again."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(inputs), torch.sin(3 * inputs) - 2], dim=1)


def climbed(model: nn.Module, inputs: Tensor, targets: Tensor, **settings: Any) -> Tensor:
    chosen = {"norm": "linf", "epsilon": 0.1, "steps": 5, "step_size": 0.05} | settings
    keys = SampleKeys(0, torch.arange(len(inputs)))
    with lent(model, inputs, targets, rng=keys, goals=None) as examples:
        return ascend(model, examples, **chosen)


def linear() -> nn.Linear:
    """Class 1 where the sum of four inputs is above 2."""
    model = nn.Linear(4, 1)
    nn.init.ones_(model.weight)
    nn.init.constant_(model.bias, -2.0)
    return model


def losses(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    logits = torch.cat([-model(inputs) / 2, model(inputs) / 2], dim=1)
    return log_odds(logits, Examples(inputs=inputs, targets=targets, goals=None, keys=SampleKeys(0, torch.arange(len(inputs)))))


def test_the_best_point_is_kept_and_not_the_last() -> None:
    point = climbed(Wave(), torch.zeros(1, 1), torch.tensor([0]), epsilon=1.0, step_size=0.5, steps=2)
    # sin(3x) is higher at 0.5 than at 1, where the second step ends, as it does at 0, where the climb begins.
    assert point.item() == 0.5


def test_a_climb_that_only_leads_down_gives_the_example_back() -> None:
    class Trap(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.cat([(inputs - 0.1).abs(), 0 * inputs], dim=1)

    assert climbed(
        Trap(), torch.full((1, 1), 0.11), torch.tensor([0]), epsilon=0.5, step_size=0.5, steps=1
    ).item() == pytest.approx(0.11)


def test_examples_leave_where_they_are_fooled_and_the_cost_is_theirs_alone() -> None:
    model = Counted(linear())
    distances = torch.tensor([0.04, 0.09, 0.14, 0.5])
    climbed(model, (0.5 - distances)[:, None].expand(4, 4), torch.zeros(4).long(), epsilon=1.0, steps=4)
    # The look at the examples themselves, then steps of 0.05.
    assert model.sizes == [4, 4, 3, 2, 1]


def test_examples_that_are_wrong_already_cost_one_look_and_stay_as_they_are() -> None:
    model, inputs = Counted(linear()), torch.full((3, 4), 0.6)
    assert torch.equal(climbed(model, inputs, torch.zeros(3).long(), random_start=True), inputs)
    assert model.sizes == [3]


def test_without_an_early_stop_every_example_climbs_all_steps() -> None:
    model, inputs = Counted(linear()), torch.full((3, 4), 0.6)
    point = climbed(model, inputs, torch.zeros(3).long(), early_stop=False)
    assert model.sizes == [3] * 6
    assert torch.allclose(point, inputs + 0.1)


def test_what_comes_back_from_more_steps_and_restarts_is_never_worse() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    inputs = torch.rand(64, 4)
    targets = (model(inputs).flatten() > 0).long()
    found = [
        losses(model, climbed(model, inputs, targets, random_start=True, early_stop=False, steps=3, restarts=restarts), targets)
        for restarts in (1, 2, 5)
    ]
    assert (found[1] >= found[0]).all()
    assert (found[2] >= found[1]).all()
    assert (found[2] > found[0]).any()


def test_momentum_carries_a_climb_over_a_place_without_gradient() -> None:
    class Plateau(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            # Rises up to 0.3, is flat up to 0.6, and rises on.
            height = inputs.clamp(max=0.3) + (inputs - 0.6).clamp(min=0)
            return torch.cat([torch.ones_like(inputs), height], dim=1)

    arrived = [
        climbed(Plateau(), torch.zeros(1, 1), torch.tensor([0]), epsilon=1.0, step_size=0.1, steps=10, momentum=momentum)
        for momentum in (0.0, 1.0)
    ]
    assert arrived[0].item() == pytest.approx(0.3)
    assert arrived[1].item() == pytest.approx(1.0)


def test_where_there_is_no_gradient_at_all_momentum_gives_no_nan() -> None:
    model = nn.Linear(4, 1)
    nn.init.zeros_(model.weight)
    nn.init.constant_(model.bias, -1.0)
    inputs = torch.rand(2, 4)
    assert torch.equal(climbed(model, inputs, torch.zeros(2).long(), momentum=1.0), inputs)


@pytest.mark.parametrize("count", [0, -3])
def test_counts_below_one_are_refused_by_name(count: int) -> None:
    with pytest.raises(ValueError, match=f"restarts must be at least 1, got {count}"):
        check_counts(steps=1, restarts=count)


@pytest.mark.parametrize("step_size", [0.0, -0.1, float("nan"), float("inf")])
def test_a_step_that_leads_nowhere_is_refused(step_size: float) -> None:
    with pytest.raises(ValueError, match="step_size must be finite and above 0, or auto, got"):
        check_step_size(step_size)


def test_auto_is_a_step_size() -> None:
    assert check_step_size("auto") is None
