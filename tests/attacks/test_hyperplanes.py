"""Projection onto a hyperplane inside the box, against closed forms, the conditions of optimality, and a general solver."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize
from torch import Tensor

from dlcli.attacks.balls import Norm, distance
from dlcli.attacks.hyperplanes import to_hyperplane

NORMS: list[Norm] = ["linf", "l2"]


def problem(seed: int, count: int = 8, size: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Images of one row, values and gradients; some entries are at the edge of the box, some gradients are zero."""
    generator = torch.Generator().manual_seed(seed)
    points = (2 * torch.rand(count, 1, 1, size, generator=generator, dtype=torch.float64) - 0.5).clamp(0, 1)
    gradient = torch.randn(count, 1, 1, size, generator=generator, dtype=torch.float64)
    gradient[torch.rand(gradient.shape, generator=generator) < 0.2] = 0
    return points, torch.randn(count, generator=generator, dtype=torch.float64), gradient


def reached(values: Tensor, gradient: Tensor, change: Tensor) -> Tensor:
    return values + (gradient * change).flatten(1).sum(dim=1)


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_where_there_is_no_box_the_distance_is_the_value_over_the_dual_norm(norm: Norm, dual: int) -> None:
    points, values, gradient = (tensor.flatten(1) if tensor.ndim > 1 else tensor for tensor in problem(0))
    change = to_hyperplane(points, values, gradient, norm)
    assert torch.allclose(reached(values, gradient, change), torch.zeros(8).double(), atol=1e-9)
    assert torch.allclose(distance(change, norm), values.abs() / gradient.norm(p=dual, dim=1))


@pytest.mark.parametrize("norm", NORMS)
@given(seed=st.integers(0, 10**6))
def test_it_stays_in_the_box_and_arrives_unless_the_box_ends_before(norm: Norm, seed: int) -> None:
    points, values, gradient = problem(seed)
    change = to_hyperplane(points, values, gradient, norm)
    assert (points + change).min() >= 0
    assert (points + change).max() <= 1 + 1e-12
    way = -values.sign().reshape(-1, 1, 1, 1) * gradient.sign()
    farthest = torch.where(way > 0, 1 - points, points) * way
    arrives = (gradient * farthest).flatten(1).sum(dim=1).abs() >= values.abs()
    assert torch.allclose(reached(values, gradient, change)[arrives], torch.zeros(int(arrives.sum())).double(), atol=1e-9)
    assert torch.allclose(change[~arrives], farthest[~arrives])


@pytest.mark.parametrize("seed", range(5))
def test_in_linf_no_point_is_nearer_says_a_linear_programme(seed: int) -> None:
    points, values, gradient = problem(seed, count=1)
    x, w = points.flatten().numpy(), gradient.flatten().numpy()
    size = len(x)
    # Minimise r over (δ, r) with -r <= δ <= r.
    above = [[*(1.0 if i == j else 0.0 for j in range(size)), -1.0] for i in range(size)]
    below = [[*(-1.0 if i == j else 0.0 for j in range(size)), -1.0] for i in range(size)]
    best = linprog(
        [*[0.0] * size, 1.0],
        A_ub=above + below,
        b_ub=[0.0] * (2 * size),
        A_eq=[[*w, 0.0]],
        b_eq=[-float(values)],
        bounds=[*((-a, 1 - a) for a in x), (0, None)],
    )
    change = to_hyperplane(points, values, gradient, "linf")
    if best.success:
        assert distance(change, "linf").item() == pytest.approx(best.fun, abs=1e-8)
    else:
        assert reached(values, gradient, change).abs().item() > 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_in_l2_no_point_is_nearer_says_a_quadratic_programme(seed: int) -> None:
    points, values, gradient = problem(seed, count=1)
    x, w = points.flatten().numpy(), gradient.flatten().numpy()
    change = to_hyperplane(points, values, gradient, "l2")
    if reached(values, gradient, change).abs().item() > 1e-9:
        return
    best = minimize(
        lambda delta: (delta**2).sum(),
        change.flatten().numpy() * 0.5,
        jac=lambda delta: 2 * delta,
        bounds=[(-a, 1 - a) for a in x],
        constraints={"type": "eq", "fun": lambda delta: float(values) + delta @ w, "jac": lambda delta: w},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert (change**2).sum().item() == pytest.approx(best.fun, abs=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_without_a_gradient_and_on_the_hyperplane_it_stays(norm: Norm) -> None:
    points, values, gradient = problem(0)
    assert torch.equal(to_hyperplane(points, values, 0 * gradient, norm), 0 * points)
    assert torch.equal(to_hyperplane(points, 0 * values, gradient, norm), 0 * points)


@pytest.mark.parametrize("norm", NORMS)
def test_the_scale_of_the_function_does_not_matter(norm: Norm) -> None:
    points, values, gradient = problem(0)
    expected = to_hyperplane(points, values, gradient, norm)
    assert torch.allclose(to_hyperplane(points, 1e-20 * values, 1e-20 * gradient, norm), expected)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("steep", [1e-20, 1e-40])
def test_towards_a_hyperplane_that_is_all_but_infinitely_far_it_goes_far_and_stays_a_number(norm: Norm, steep: float) -> None:
    images, values, gradient = (tensor.float() for tensor in problem(0))
    in_box = to_hyperplane(images, values, steep * gradient, norm)
    way = -values.sign().reshape(-1, 1, 1, 1) * gradient.sign()
    assert torch.allclose(in_box, torch.where(way > 0, 1 - images, images) * way)
    rows = to_hyperplane(images.flatten(1), values, steep * gradient.flatten(1), norm)
    assert distance(rows, "l2").isfinite().all()
    assert (distance(rows, "l2") > 1e10).all()
