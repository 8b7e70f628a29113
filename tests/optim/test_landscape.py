"""Landscapes against their published minima, and walks against descents written out."""

from __future__ import annotations

import math

import pytest
import torch

from dlcli.optim.landscape import LANDSCAPES, stuck, walk

LOWEST = {"styblinski_tang": (-2.903534, -2.903534), "rastrigin": (0.0, 0.0), "rosenbrock": (1.0, 1.0)}


def double(rows: list[list[float]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("name", LANDSCAPES)
def test_the_lowest_point_is_where_it_was_published(name):
    landscape, point = LANDSCAPES[name], double([list(LOWEST[name])]).requires_grad_(True)
    value = landscape.height(point)
    assert value.item() == pytest.approx(landscape.minimum, abs=1e-6)
    (gradient,) = torch.autograd.grad(value.sum(), [point])
    assert gradient.abs().max() < 1e-3
    grid = torch.cartesian_prod(*[torch.linspace(-landscape.radius, landscape.radius, 401, dtype=torch.float64)] * 2)
    assert landscape.height(grid).min() >= landscape.minimum - 1e-9
    assert not stuck(landscape, point.detach())[0]


@pytest.mark.parametrize(
    ("name", "other"), [("styblinski_tang", (2.7468, -2.9035)), ("rastrigin", (0.995, 0.0)), ("rosenbrock", (-1.0, 1.0))]
)
def test_who_ends_elsewhere_is_stuck(name, other):
    assert stuck(LANDSCAPES[name], double([list(other), [math.nan, 0.0]])).tolist() == [True, True]


def test_a_walk_is_the_descent_written_out():
    landscape, starts = LANDSCAPES["rosenbrock"], double([[-1.0, 0.5], [0.3, -0.2]])
    track = walk(landscape, starts, lambda points: torch.optim.SGD(points, lr=0.001), steps=3, noise=torch.zeros(3, 2, 2))
    x = starts.clone()
    for step in range(3):
        slope = torch.stack(
            [-2 * (1 - x[:, 0]) - 400 * x[:, 0] * (x[:, 1] - x[:, 0] ** 2), 200 * (x[:, 1] - x[:, 0] ** 2)], dim=1
        )
        x = x - 0.001 * slope
        torch.testing.assert_close(track[step + 1], x)


def test_noise_moves_a_walk_that_stood_at_a_minimum():
    landscape, starts = LANDSCAPES["rastrigin"], double([[0.0, 0.0]])
    noise = torch.ones(1, 1, 2, dtype=torch.float64)
    track = walk(landscape, starts, lambda points: torch.optim.SGD(points, lr=0.1), steps=1, noise=noise)
    torch.testing.assert_close(track[1], double([[-0.1, -0.1]]))
