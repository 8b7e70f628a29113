"""What minimum-norm attacks share: their start, and what their points are compared by."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Norm, distance, steepest
from dlcli.attacks.examples import Examples, Standing
from dlcli.attacks.gradients import first_look
from dlcli.attacks.losses import margin
from dlcli.randomness import SampleKeys


def opened(model: nn.Module, examples: Examples, *, confidence: float = 0.0) -> tuple[Standing, Examples, Tensor]:
    """Asks ``model`` at the unchanged examples; those that are fooled already leave.

    Args:
        confidence: lead in logits from which on a point is worth more than any with less; margins are counted from there.

    Returns:
        The search, which has the unchanged examples on offer; the examples that stand; their logits, (n, P).
    """
    standing = Standing(examples)
    clean = first_look(model, examples, margin, gradient=False)
    standing.offer(examples.inputs, clean.values - confidence, examples.fooled(clean.logits))
    return standing, examples.take(standing.rows), clean.logits[standing.rows]


def nearness(sizes: Tensor, margins: Tensor, fooled: Tensor) -> Tensor:
    """Returns what points are compared by, (n,): any that fools comes before any that does not, and then the nearest.

    Args:
        sizes: distance to the example, (n,).
        margins: what orders points that do not fool, (n,); at most 0 where that is so.
        fooled: bool (n,).
    """
    # Margins that are no numbers stay what they are, to be refused, whatever argmax makes of them.
    return torch.where(fooled & margins.isfinite(), 1 / sizes.clamp_min(1e-12), margins)


def offer_nearest(standing: Standing, points: Tensor, logits: Tensor, examples: Examples, norm: Norm) -> tuple[Tensor, Tensor]:
    """Takes note of points; no example leaves.

    Args:
        points: (n, ...), one for each of the examples that stand.
        logits: what the model says there, (n, P).

    Returns:
        Which points fool the model, bool (n,), and their distances, (n,).
    """
    fooled, sizes = examples.fooled(logits), distance(points - examples.inputs, norm)
    standing.offer(points, nearness(sizes, margin(logits, examples), fooled), torch.zeros_like(fooled))
    return fooled, sizes


def unit(gradient: Tensor, keys: SampleKeys, purpose: str, step: int) -> Tensor:
    """Returns the gradient over its L2 norm; where it is zero, a random direction of norm 1 that belongs to the example."""
    blind = ~gradient.flatten(1).any(dim=1)
    if not blind.any():
        return steepest(gradient, "l2")
    drawn = keys.normal(purpose, step, tuple(gradient.shape[1:])).to(gradient.dtype)
    return steepest(torch.where(blind.reshape(-1, *[1] * (gradient.ndim - 1)), drawn, gradient), "l2")


def annealed(first: float, last: float, step: int, steps: int) -> float:
    """Returns what falls from ``first`` at step 0 to ``last`` at step ``steps`` along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * step / steps)) / 2


def inside(change: Tensor, norm: Norm, radius: Tensor) -> Tensor:
    """Returns the nearest change inside a ball whose radius, (n,), is each example's own."""
    limit = radius.reshape(-1, *[1] * (change.ndim - 1))
    if norm == "linf":
        return torch.minimum(torch.maximum(change, -limit), limit)
    size = distance(change, norm).reshape(limit.shape)
    return change * (limit / size.clamp_min(1e-12)).clamp_max(1)
