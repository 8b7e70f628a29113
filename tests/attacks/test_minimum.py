"""How minimum-norm attacks start, and what they keep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import steepest
from dlcli.attacks.examples import Examples, Standing, lent
from dlcli.attacks.minimum import inside, nearness, offer_nearest, opened, unit
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys

# The model is the identity: two columns, and whichever is larger is the class.
POINTS = torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
TARGETS = torch.tensor([0, 0, 0])


@contextmanager
def started(goals: Tensor | None = None) -> Iterator[tuple[Standing, Examples, Tensor]]:
    with lent(nn.Identity(), POINTS, TARGETS, rng=None, goals=goals) as examples:
        yield opened(nn.Identity(), examples)


def offered(standing: Standing, active: Examples, shifts: list[float]) -> list[float]:
    """Offers what lies so far along the second column; returns the distances."""
    points = active.inputs + torch.tensor([[0.0, shift] for shift in shifts])
    return offer_nearest(standing, points, points, active, "l2")[1].tolist()


def test_what_is_misclassified_leaves_before_the_attack_and_stays_as_it_is() -> None:
    with started() as (standing, active, logits):
        assert standing.rows.tolist() == [0, 2]
        assert torch.equal(active.inputs, POINTS[[0, 2]])
        assert torch.equal(logits, POINTS[[0, 2]])
        offered(standing, active, [5.0, 5.0])
        assert torch.equal(standing.result()[1], POINTS[1])


def test_what_is_taken_for_its_goal_leaves_before_the_attack() -> None:
    with started(goals=torch.tensor([1, 1, 0])) as (standing, _, _):
        assert standing.rows.tolist() == [0]


def test_of_points_that_fool_the_nearest_is_kept_and_nobody_leaves() -> None:
    with started() as (standing, active, _):
        assert offered(standing, active, [8.0, 1.5]) == [8.0, 1.5]
        offered(standing, active, [3.5, 2.5])
        offered(standing, active, [6.0, 6.0])
        assert standing.rows.tolist() == [0, 2]
        assert standing.result()[:, 1].tolist() == [3.5, 1.0, 2.5]


def test_of_points_that_do_not_fool_the_one_of_highest_margin_is_kept() -> None:
    with started() as (standing, active, _):
        for shift in (1.0, 2.5, 2.0, -1.0):
            offered(standing, active, [shift, -1.0])
        assert standing.result()[:, 1].tolist() == [2.5, 1.0, 1.0]


def test_any_point_that_fools_comes_before_any_that_does_not() -> None:
    merits = nearness(
        torch.tensor([1e3, 1.0, 1e-3, 1e-3]), torch.tensor([0.0, 2.0, 0.0, -5.0]), torch.tensor([1, 1, 0, 0]).bool()
    )
    assert merits.argsort(descending=True).tolist() == [1, 0, 2, 3]


def test_a_direction_has_length_one_however_small_the_gradient() -> None:
    gradient = torch.tensor([[3e-30, 4e-30], [-5.0, 0.0]])
    expected = torch.tensor([[0.6, 0.8], [-1.0, 0.0]])
    assert torch.allclose(unit(gradient, SampleKeys(0, torch.arange(2)), "any", 0), expected)


def test_without_a_gradient_the_direction_is_random_and_the_examples_own() -> None:
    gradient, keys = torch.zeros(4, 1, 3, 5), SampleKeys(0, torch.arange(4))
    gradient[2] = 1.0
    drawn = unit(gradient, keys, "any", 0)
    assert torch.equal(drawn[2], steepest(gradient, "l2")[2])
    assert torch.allclose(drawn.flatten(1).norm(dim=1), torch.ones(4))
    assert (drawn.flatten(1) @ drawn.flatten(1).T).fill_diagonal_(0).abs().max() < 0.9
    assert torch.equal(unit(gradient[1:2], keys.take(torch.tensor([1])), "any", 0), drawn[1:2])
    assert not torch.equal(unit(gradient, keys, "any", 1)[:2], drawn[:2])


@pytest.mark.parametrize("wild", [torch.nan, torch.inf])
def test_outputs_that_are_no_numbers_are_refused(wild: float) -> None:
    with started() as (standing, active, _), pytest.raises(ComputeError, match="not finite"):
        offer_nearest(standing, active.inputs, torch.tensor([[0.0, wild], [0.0, 0.0]]), active, "l2")


def test_each_change_is_brought_into_a_ball_of_its_own_radius() -> None:
    change, radius = torch.tensor([[3.0, 4.0], [3.0, 4.0], [3.0, -4.0]]), torch.tensor([1.0, 10.0, torch.inf])
    assert torch.allclose(inside(change, "l2", radius), torch.tensor([[0.6, 0.8], [3.0, 4.0], [3.0, -4.0]]))
    radius = torch.tensor([1.0, 3.5, torch.inf])
    assert torch.allclose(inside(change, "linf", radius), torch.tensor([[1.0, 1.0], [3.0, 3.5], [3.0, -4.0]]))
