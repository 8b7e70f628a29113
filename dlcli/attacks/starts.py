"""Random points in and on the ball around an example, and far from it, keyed by example."""

from __future__ import annotations

import math

from torch import Tensor

from dlcli.attacks.balls import Norm, distance, steepest
from dlcli.randomness import SampleKeys

# Sides in pixels; 0 is all of the image.
_CELLS = (1, 2, 4, 8, 0)


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


def far_off(inputs: Tensor, keys: SampleKeys, purpose: str, attempt: int) -> Tensor:
    """Returns random points that have little to do with the examples, one for each: like ``inputs``.

    Images are cells of 1, 2, 4, 8 or all pixels in turn, five times grey and five times black and white. Rows of numbers, which
    have no box, are a normal step away whose scale goes from 1/16 to 2048 in sixteen attempts.
    """
    if inputs.ndim == 2:
        return inputs + 2.0 ** (attempt % 16 - 4) * keys.normal(purpose, attempt, tuple(inputs.shape[1:])).to(inputs.dtype)
    channels, height, width = inputs.shape[1:]
    cell = _CELLS[attempt % len(_CELLS)] or max(height, width)
    drawn = keys.uniform(purpose, attempt, (channels, -(-height // cell), -(-width // cell)))
    if attempt // len(_CELLS) % 2:
        drawn = drawn.round()
    spread = drawn.repeat_interleave(cell, dim=2).repeat_interleave(cell, dim=3)
    return spread[:, :, :height, :width].to(inputs.dtype)
