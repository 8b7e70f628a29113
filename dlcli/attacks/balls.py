"""The geometry of attacks: steps, projections and distances in the norms "linf" and "l2".

Tensors are (N, ...); every function treats each example by itself, over all its dimensions.
"""

from __future__ import annotations

import math
from copy import copy
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["linf", "l2"]
TOLERANCE = 1e-6


def check_norm(norm: str) -> None:
    """Refuses a norm that there is no geometry for (ValueError)."""
    if norm not in {"linf", "l2"}:
        raise ValueError(f"norm must be 'linf' or 'l2', got {norm!r}")


def check_epsilon(epsilon: float, norm: str) -> None:
    """Refuses a radius that cannot be meant.

    Args:
        epsilon: radius in raw units; images are in [0, 1], so a Linf radius is at most 1.
        norm: "linf" or "l2".

    Raises:
        ValueError: an unknown norm, or a radius that is negative, not finite or, in Linf, above 1.
    """
    check_norm(norm)
    if not math.isfinite(epsilon) or epsilon < 0:
        raise ValueError(f"epsilon must be finite and at least 0, got {epsilon}")
    if norm == "linf" and epsilon > 1:
        raise ValueError(f"epsilon must be in [0, 1] for linf, as images are, got {epsilon:g}; did you mean {epsilon:g}/255?")


def check_box(inputs: Tensor) -> None:
    """Refuses images, (N, C, H, W), outside [0, 1] by more than rounding, and NaN (ValueError); tables have no box."""
    if inputs.ndim > 2 and inputs.numel():
        low, high = (float(bound) for bound in inputs.aminmax())
        # Written so that NaN is refused, too.
        if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
            raise ValueError(f"images must be in [0, 1], got [{low:g}, {high:g}]; what normalises them belongs in the model")


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """Returns the direction of norm 1 along which a function with this gradient rises fastest.

    Linf: its sign; L2: itself over its norm. A zero gradient gives zero, and one too small to be squared is
    scaled first, so it keeps its direction.
    """
    if norm == "linf":
        return gradient.sign()
    flat = gradient.flatten(1)
    largest = flat.abs().amax(dim=1, keepdim=True)
    scaled = flat / largest.masked_fill(largest == 0, 1)
    # Where the gradient is not zero, the scaled norm is at least 1.
    length: Tensor = torch.linalg.vector_norm(scaled, dim=1, keepdim=True).clamp_min(1)
    return (scaled / length).reshape(gradient.shape)


def project(delta: Tensor, norm: Norm, epsilon: float) -> Tensor:
    """Returns the nearest change inside the ball of radius ``epsilon``."""
    if norm == "linf":
        return delta.clamp(-epsilon, epsilon)
    size = distance(delta, norm).reshape(-1, *[1] * (delta.ndim - 1))
    return delta * (epsilon / size.clamp_min(1e-38)).clamp_max(1)


def distance(delta: Tensor, norm: Norm) -> Tensor:
    """Returns the norm of each example's change, (N,)."""
    flat = delta.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else torch.linalg.vector_norm(flat, dim=1)


def boxed(inputs: Tensor) -> Tensor:
    """Returns images, (N, C, H, W), clipped to [0, 1]; tables, (N, D), have no box and stay as they are.

    Clipping never leads away from a point inside the box, so the order is ball first, box second.
    """
    return inputs.clamp(0, 1) if inputs.ndim > 2 else inputs


class Ball:
    """Where an attack may go: within ``epsilon`` of each of ``inputs``, (N, ...), and for images in the box.

    In Linf both together are two bounds for every entry. They are worked out once, so that to come back costs one operation in
    place of four: on a small network such operations are a good part of a step.
    """

    def __init__(self, inputs: Tensor, norm: Norm, epsilon: float) -> None:
        self.norm = norm
        self._epsilon = epsilon
        self._inputs = inputs
        self._bounds = (boxed(inputs - epsilon), boxed(inputs + epsilon)) if norm == "linf" else None

    def take(self, rows: Tensor | None) -> Ball:
        """Returns the balls at positions ``rows``, int64; None is all of them."""
        if rows is None:
            return self
        taken = copy(self)
        taken._inputs = self._inputs[rows]
        taken._bounds = None if self._bounds is None else (self._bounds[0][rows], self._bounds[1][rows])
        return taken

    def nearest(self, points: Tensor) -> Tensor:
        """Returns the nearest allowed points, (N, ...); exactly the nearest in Linf, in L2 first to the ball, then to the box."""
        if self._bounds is not None:
            return torch.clamp(points, *self._bounds)
        return boxed(self._inputs + project(points - self._inputs, self.norm, self._epsilon))

    def step(self, points: Tensor, gradient: Tensor, size: float) -> Tensor:
        """Returns the allowed points nearest to where a steepest step of this size leads, (N, ...)."""
        moved = steepest(gradient, self.norm).mul_(size).add_(points)
        return self.nearest(moved) if self._bounds is None else torch.clamp(moved, *self._bounds, out=moved)
