"""The nearest point of a hyperplane inside the box: where a linearised decision boundary is reached first."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.attacks.balls import Norm

# As far as anything goes: the square of this is still a number in single precision.
_FAR = 1e15
_TINY = 1e-30


def to_hyperplane(points: Tensor, values: Tensor, gradient: Tensor, norm: Norm) -> Tensor:
    """Returns the smallest changes δ with value + ⟨gradient, δ⟩ = 0 that leave ``points`` in the box, (n, ...).

    Where the box ends before the hyperplane, it goes as far as it can; without a gradient it stays. Tables have no box.

    In both norms each entry moves along its gradient by min(λ · u, room), with u = 1 in Linf and |gradient| in L2 (the
    stationarity conditions of the projection), and how far that leads is concave and piecewise linear in λ. So Newton's method
    from λ = 0 rises to the exact λ in finitely many steps, without the sorting of Croce and Hein 2020, "Minimally distorted
    adversarial examples" (FAB), appendix.

    Args:
        points: (n, ...), images inside [0, 1].
        values: of the linear function there, (n,).
        gradient: its slope, (n, ...).
    """
    flat = points.flatten(1)
    steep = gradient.flatten(1)
    scale = steep.abs().amax(dim=1, keepdim=True)
    scale = scale.masked_fill(scale == 0, 1)
    weight = steep.abs() / scale
    way = -values.sign()[:, None] * steep.sign()
    target = values.abs()[:, None] / scale
    room = torch.where(way > 0, 1 - flat, flat).clamp_min(0) if points.ndim > 2 else torch.full_like(flat, torch.inf)
    pace = (weight > 0).to(weight.dtype) if norm == "linf" else weight
    gain, most = weight * pace, weight * room
    multiple = (target / gain.sum(dim=1, keepdim=True).clamp_min(_TINY)).clamp(max=_FAR)
    for _ in range(flat.shape[1]):
        ended = multiple * pace > room
        free = gain.masked_fill(ended, 0).sum(dim=1, keepdim=True)
        spent = torch.where(ended, most, 0).sum(dim=1, keepdim=True)
        higher = torch.where(free > 0, (target - spent) / free.clamp_min(_TINY), _FAR).clamp(max=_FAR)
        # Rounding may lead back by a last digit, and never matters.
        if not (higher > multiple).any():
            break
        multiple = torch.maximum(higher, multiple)
    return (way * torch.minimum(multiple * pace, room)).reshape(points.shape)
