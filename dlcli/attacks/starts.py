"""Random points in and on the ball around an example, keyed by example."""

from __future__ import annotations

import math

from torch import Tensor

from dlcli.attacks.balls import Norm, distance, steepest
from dlcli.randomness import SampleKeys


def in_ball(keys: SampleKeys, purpose: str, step: int, shape: tuple[int, ...], *, norm: Norm, epsilon: float) -> Tensor:
    """Returns changes drawn uniformly from the ball, float32 (N, *shape).

    In L2 the direction is uniform on the sphere and the radius is ε · u^(1/d): with u alone, points would crowd at the centre.
    """
    if norm == "linf":
        return keys.uniform(purpose, step, shape, low=-epsilon, high=epsilon)
    direction = steepest(keys.normal(f"{purpose}/direction", step, shape), "l2")
    radius = epsilon * keys.uniform(f"{purpose}/radius", step) ** (1 / math.prod(shape))
    return direction * radius.reshape(-1, *[1] * len(shape))


def on_sphere(keys: SampleKeys, purpose: str, step: int, shape: tuple[int, ...], *, norm: Norm, epsilon: float) -> Tensor:
    """Returns changes of norm ε, float32 (N, *shape), as AutoPGD starts (Croce and Hein 2020, their code).

    Linf: uniform on the cube, then stretched until its largest entry is ε; L2: uniform on the sphere.
    """
    drawn = keys.uniform(purpose, step, shape, low=-1, high=1) if norm == "linf" else keys.normal(purpose, step, shape)
    size = distance(drawn, norm).clamp_min(1e-12).reshape(-1, *[1] * len(shape))
    return drawn * (epsilon / size)
