"""AutoPGD's climb: its checkpoints, its rules, and that it needs no step size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.autopgd import autopgd, checkpoints
from dlcli.attacks.balls import Norm
from dlcli.attacks.examples import Examples, Standing, lent
from dlcli.attacks.losses import log_odds


class Recorded(nn.Module):
    """A model that keeps every batch that it was shown."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.seen = inner, list[Tensor]()

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(inputs.detach().clone())
        return self.inner(inputs)


class Hill(nn.Module):
    """Two classes; class 1 is highest, and still below class 0, where every input is 0.53."""

    def forward(self, inputs: Tensor) -> Tensor:
        height = -((inputs.flatten(1) - 0.53) ** 2).sum(dim=1, keepdim=True)
        return torch.cat([torch.ones_like(height), height], dim=1)


def run(
    model: nn.Module, inputs: Tensor, targets: Tensor, *, norm: Norm = "linf", epsilon: float = 0.1, steps: int = 100
) -> Tensor:
    with lent(model, inputs, targets, rng=None, goals=None) as examples:
        standing = Standing(examples)
        autopgd(model, examples, standing, loss=log_odds, rank=log_odds, norm=norm, epsilon=epsilon, steps=steps, restart=0)
        return standing.result()


def height(points: Tensor) -> Tensor:
    return Hill()(points)[:, 1]


def test_the_checkpoints_of_a_hundred_steps_are_those_of_the_paper() -> None:
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]


@pytest.mark.parametrize("steps", [1, 2, 5, 10, 40, 1000])
def test_checkpoints_rise_and_stay_within_the_steps(steps: int) -> None:
    found = checkpoints(steps)
    assert found == sorted(set(found))
    assert 1 <= found[0] <= found[-1] <= steps


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_steps_shrink_until_the_top_of_a_hill_is_found(norm: Norm) -> None:
    inputs, targets = torch.full((4, 1, 3, 3), 0.5), torch.zeros(4).long()
    epsilon = {"linf": 0.1, "l2": 0.5}[norm]
    reached = [height(run(Hill(), inputs, targets, norm=norm, epsilon=epsilon, steps=steps)).min().item() for steps in (3, 100)]
    assert reached[1] > reached[0]
    # Eight halvings of a first step of 2 ε leave at most a step's half in each of nine inputs.
    assert reached[1] > -9 * (2 * epsilon / 2**8) ** 2


def test_it_starts_on_the_surface_of_the_ball_and_its_first_step_is_as_long_as_the_ball_is_wide() -> None:
    model, inputs = Recorded(Hill()), torch.full((4, 1, 3, 3), 0.5)
    run(model, inputs, torch.zeros(4).long(), epsilon=0.01, steps=1)
    start, first = model.seen
    assert torch.allclose((start - inputs).flatten(1).abs().amax(dim=1), torch.tensor(0.01))
    # Uphill is up everywhere, and from any point of the ball 2 ε leads to its upper corner.
    assert torch.allclose(first, inputs + 0.01)


def test_the_second_step_keeps_a_quarter_of_the_last_change() -> None:
    model, inputs = Recorded(Hill()), torch.full((2, 1, 2, 2), 0.5)
    run(model, inputs, torch.zeros(2).long(), epsilon=0.04, steps=10)
    start, first, second = model.seen[:3]
    # A step of 2 ε leads to the far side, beyond the top at 0.53, and the next one back to the other.
    up = start < 0.53
    assert torch.allclose(first, torch.where(up, 0.54, 0.46))
    expected = first + 0.75 * (torch.where(up, 0.46, 0.54) - first) + 0.25 * (first - start)
    assert torch.allclose(second, expected.clamp(0.46, 0.54), atol=1e-6)


def test_it_costs_one_forward_pass_more_than_it_has_steps() -> None:
    model = Recorded(Hill())
    run(model, torch.full((3, 1, 2, 2), 0.5), torch.zeros(3).long(), steps=10)
    assert [len(batch) for batch in model.seen] == [3] * 11


def test_examples_leave_where_they_are_fooled() -> None:
    model = Recorded(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)))
    nn.init.ones_(model.inner[1].weight)
    nn.init.constant_(model.inner[1].bias, -2.0)
    inputs = (0.5 - torch.tensor([0.001, 0.05, 0.2])).reshape(3, 1, 1, 1).expand(3, 1, 2, 2)
    found = run(model, inputs, torch.zeros(3).long(), steps=4)
    assert len(model.seen[-1]) == 1
    assert (found.flatten(1).sum(dim=1) > 2).tolist() == [True, True, False]


def test_going_back_means_going_on_from_the_best_point_with_its_gradient() -> None:
    # A checkpoint after every step: what gained nothing returns to the best point, and the next step is half as long.
    class Ridge(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            flat = inputs.flatten(1)
            return torch.cat([torch.ones_like(flat), -(flat - 0.5).abs()], dim=1)

    model, inputs = Recorded(Ridge()), torch.full((1, 1, 1, 1), 0.5)
    found = run(model, inputs, torch.zeros(1).long(), epsilon=0.4, steps=30)
    offsets = torch.stack(model.seen).flatten() - 0.5
    assert (found.flatten() - 0.5).abs() == offsets.abs().min()
    assert offsets[-6:].abs().max() < offsets[:6].abs().max() / 4


def test_examples_do_not_share_their_step_sizes() -> None:
    inputs, targets = torch.rand(6, 1, 3, 3, generator=torch.Generator().manual_seed(1)), torch.zeros(6).long()
    together = run(Hill(), inputs, targets, steps=30)
    with lent(Hill(), inputs, targets, rng=None, goals=None) as examples:
        rows = torch.tensor([4, 1])
        some: Examples = examples.take(rows)
        standing = Standing(some)
        autopgd(Hill(), some, standing, loss=log_odds, rank=log_odds, norm="linf", epsilon=0.1, steps=30, restart=0)
    assert torch.allclose(standing.result(), together[rows], atol=1e-6)
