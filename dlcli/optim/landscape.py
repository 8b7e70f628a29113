"""Non-convex functions of two numbers with known minima, and optimizers walking down them from many starts at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Landscape:
    """A function of (x, y).

    Args:
        height: maps points (..., 2) to values (...), float64.
        minimum: the lowest value.
        radius: starts and pictures lie in [-radius, radius] along both axes.
        tolerance: who ends within this of ``minimum`` has found it: less than what sets the next local minimum apart.
    """

    height: Callable[[Tensor], Tensor]
    minimum: float
    radius: float
    tolerance: float


def _styblinski_tang(points: Tensor) -> Tensor:
    return (points**4 - 16 * points**2 + 5 * points).sum(-1) / 2


def _rastrigin(points: Tensor) -> Tensor:
    return (points**2 - 10 * torch.cos(2 * math.pi * points) + 10).sum(-1)


def _rosenbrock(points: Tensor) -> Tensor:
    x, y = points.unbind(-1)
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


# Definitions and minima: Surjanovic and Bingham, "Virtual library of simulation experiments", optimization test problems.
LANDSCAPES: Mapping[str, Landscape] = {
    # Four basins, one of them lowest, at (-2.9035, -2.9035); the next is 14 higher.
    "styblinski_tang": Landscape(_styblinski_tang, -78.33233140754282, 5.0, 1.0),
    # A basin around every pair of whole numbers; the lowest at the origin, the next is 1 higher.
    "rastrigin": Landscape(_rastrigin, 0.0, 5.12, 0.5),
    # One minimum, at (1, 1), at the end of a narrow bent valley: no one is trapped, but many do not arrive.
    "rosenbrock": Landscape(_rosenbrock, 0.0, 2.0, 0.01),
}


def walk(
    landscape: Landscape, starts: Tensor, optimizer: Callable[[list[Tensor]], torch.optim.Optimizer], *, steps: int, noise: Tensor
) -> Tensor:
    """Walks from every start for ``steps`` steps of an optimizer that works element by element, as SGD and Adam do.

    Args:
        starts: (N, 2), float64.
        noise: (steps, N, 2), added to the gradients: what a mini-batch's gradient has in place of the exact one.

    Returns:
        All positions, (steps + 1, N, 2). A walk that left the finite numbers stays NaN.
    """
    points = starts.clone().requires_grad_(True)
    stepper = optimizer([points])
    track = [starts.clone()]
    for step in range(steps):
        (gradient,) = torch.autograd.grad(landscape.height(points).sum(), [points])
        points.grad = gradient + noise[step]
        stepper.step()
        track.append(points.detach().clone())
    return torch.stack(track)


def stuck(landscape: Landscape, ends: Tensor) -> Tensor:
    """Returns which of the points (N, 2) are not at the lowest minimum, bool (N,); NaN counts as stuck."""
    return ~(landscape.height(ends) - landscape.minimum <= landscape.tolerance)
