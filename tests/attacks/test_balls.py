"""Steps, projections and distances in Linf and L2."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.attacks.balls import TOLERANCE, Ball, boxed, check_box, check_epsilon, distance, project, steepest

NORMS = ["linf", "l2"]
CHANGES = torch.randn(16, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def test_distances_are_the_largest_change_and_the_euclidean_length() -> None:
    delta = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
    assert distance(delta, "linf").tolist() == [4.0, 0.0]
    assert distance(delta, "l2").tolist() == [5.0, 0.0]


@pytest.mark.parametrize("norm", NORMS)
def test_a_steepest_direction_has_norm_one(norm: str) -> None:
    assert torch.allclose(distance(steepest(CHANGES, norm), norm), torch.ones(16))


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_along_the_steepest_direction_the_gradient_rises_by_its_dual_norm(norm: str, dual: int) -> None:
    rise = (steepest(CHANGES, norm) * CHANGES).flatten(1).sum(dim=1)
    assert torch.allclose(rise, CHANGES.flatten(1).norm(p=dual, dim=1))


@pytest.mark.parametrize("norm", NORMS)
def test_a_zero_gradient_gives_no_direction(norm: str) -> None:
    assert torch.equal(steepest(torch.zeros(2, 3), norm), torch.zeros(2, 3))


def test_a_gradient_too_small_to_be_squared_keeps_its_direction() -> None:
    assert torch.allclose(steepest(torch.tensor([[3e-30, 4e-30]]), "l2"), torch.tensor([[0.6, 0.8]]))


@pytest.mark.parametrize("norm", NORMS)
@given(epsilon=st.just(0.0) | st.floats(1e-6, 10))
def test_a_projection_is_inside_the_ball_and_projecting_again_changes_nothing(norm: str, epsilon: float) -> None:
    inside = project(CHANGES, norm, epsilon)
    assert (distance(inside, norm) <= epsilon * (1 + 1e-6)).all()
    assert torch.allclose(project(inside, norm, epsilon), inside, rtol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_a_change_inside_the_ball_stays_as_it_is(norm: str) -> None:
    assert torch.equal(project(CHANGES, norm, 100.0), CHANGES)
    assert torch.equal(project(torch.zeros(2, 3), norm, 0.5), torch.zeros(2, 3))


def test_a_long_change_is_shortened_in_l2_and_clamped_in_linf() -> None:
    delta = torch.tensor([[3.0, -4.0]])
    assert torch.allclose(project(delta, "l2", 1.0), torch.tensor([[0.6, -0.8]]))
    assert torch.equal(project(delta, "linf", 3.5), torch.tensor([[3.0, -3.5]]))


def test_images_are_boxed_and_tables_are_not() -> None:
    assert boxed(torch.full((1, 1, 1, 1), 1.5)).item() == 1.0
    assert boxed(torch.full((1, 1), 1.5)).item() == 1.5


@pytest.mark.parametrize("epsilon", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("norm", NORMS)
def test_a_radius_that_is_negative_or_not_finite_is_refused(epsilon: float, norm: str) -> None:
    with pytest.raises(ValueError, match="epsilon must be finite and at least 0, got"):
        check_epsilon(epsilon, norm)


def test_a_radius_in_units_of_255_is_refused_with_the_fraction_that_was_meant() -> None:
    with pytest.raises(ValueError, match=r"got 8; did you mean 8/255\?"):
        check_epsilon(8, "linf")


def test_a_radius_above_one_is_fine_in_l2() -> None:
    assert check_epsilon(3.0, "l2") is None


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="norm must be 'linf' or 'l2', got 'l1'"):
        check_epsilon(0.1, "l1")


def test_points_are_brought_into_the_ball_first_and_then_into_the_box() -> None:
    images = torch.tensor([0.1, 0.5, 0.95]).reshape(1, 1, 1, 3)
    moved = Ball(images, "linf", 0.2).nearest(images + torch.tensor([-0.5, 0.1, 0.5]))
    assert torch.allclose(moved.flatten(), torch.tensor([0.0, 0.6, 1.0]))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_a_ball_brings_points_where_projection_and_box_do(norm: str, epsilon: float) -> None:
    images = torch.rand(16, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    points = images + CHANGES
    moved = Ball(images, norm, epsilon).nearest(points)
    assert torch.allclose(moved, boxed(images + project(CHANGES, norm, epsilon)), atol=1e-6)
    assert (distance(moved - images, norm) <= epsilon + TOLERANCE).all()


@pytest.mark.parametrize("norm", NORMS)
def test_a_table_has_a_ball_and_no_box(norm: str) -> None:
    table = torch.tensor([[-5.0, 70.0]])
    moved = Ball(table, norm, 2.0).step(table, torch.tensor([[-1.0, 0.0]]), 3.0)
    assert torch.equal(moved, torch.tensor([[-7.0, 70.0]]))


@pytest.mark.parametrize("norm", NORMS)
def test_a_step_goes_along_the_steepest_direction_and_rows_of_a_ball_keep_theirs(norm: str) -> None:
    images, rows = 0.3 + 0.4 * torch.rand(16, 3, 4, 5), torch.tensor([7, 2])
    ball = Ball(images, norm, 0.2)
    stepped = ball.step(images, CHANGES, 0.1)
    assert torch.allclose(stepped - images, 0.1 * steepest(CHANGES, norm), atol=1e-6)
    assert ball.take(None) is ball
    assert torch.equal(ball.take(rows).nearest(CHANGES[rows]), ball.nearest(CHANGES)[rows])


@pytest.mark.parametrize("outside", [-0.01, 1.01, math.nan])
def test_images_outside_the_box_are_refused(outside: float) -> None:
    with pytest.raises(ValueError, match=r"images must be in \[0, 1\], got .* what normalises them belongs in the model"):
        check_box(torch.tensor([0.5, outside]).reshape(1, 1, 1, 2))


def test_images_outside_the_box_by_rounding_and_tables_anywhere_are_fine() -> None:
    assert check_box(torch.tensor([-3e-8, 1 + 1e-7]).reshape(1, 1, 1, 2)) is None
    assert check_box(torch.tensor([[-5.0, 70.0]])) is None
