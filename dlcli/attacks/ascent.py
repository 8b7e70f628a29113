"""Projected steps up a loss: the loop that PGD, BIM and MI-FGSM share."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Ball, Norm
from dlcli.attacks.examples import Examples, Standing, taken
from dlcli.attacks.gradients import first_look, look
from dlcli.attacks.losses import log_odds
from dlcli.attacks.starts import in_ball

StepSize = float | Literal["auto"]


def check_counts(**counts: int) -> None:
    """Refuses a number of steps, restarts, queries or targets below 1 (ValueError that names it)."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")


def check_step_size(step_size: StepSize) -> None:
    """Refuses a step that is not finite and above 0 (ValueError)."""
    if step_size != "auto" and not 0 < step_size < math.inf:
        raise ValueError(f"step_size must be finite and above 0, or auto, got {step_size}")


def ascend(
    model: nn.Module,
    examples: Examples,
    *,
    norm: Norm,
    epsilon: float,
    steps: int,
    step_size: float,
    momentum: float = 0.0,
    restarts: int = 1,
    random_start: bool = False,
    early_stop: bool = True,
) -> Tensor:
    """Climbs the cross-entropy, ``steps`` times from each start, and returns the best point of each example.

    Every point is looked at, the last one too: a step is worth what the model says after it. With ``early_stop`` an example
    leaves where the model is fooled, and those that it is wrong about already stay as they are.
    """
    standing = Standing(examples)
    seen = first_look(model, examples, log_odds, gradient=not random_start)
    keep = standing.offer(examples.inputs, seen.values, _ended(examples, seen.logits, early_stop))
    for restart in range(restarts):
        active = examples.take(standing.rows)
        point, ball = active.inputs, Ball(active.inputs, norm, epsilon)
        if random_start and len(active):
            noise = in_ball(active.keys, "pgd/start", restart, tuple(point.shape[1:]), norm=norm, epsilon=epsilon)
            point = ball.nearest(point + noise.to(point.dtype))
            seen = look(model, point, active, log_odds)
            keep = standing.offer(point, seen.values, _ended(active, seen.logits, early_stop))
            active, ball, (point,) = active.take(keep), ball.take(keep), taken(keep, point)
        (gradient,) = taken(keep, seen.gradient)
        direction = torch.zeros_like(point)
        for step in range(1, steps + 1):
            if not len(active):
                break
            direction = momentum * direction + _unit(gradient) if momentum else gradient
            point = ball.step(point, direction, step_size)
            seen = look(model, point, active, log_odds, gradient=step < steps)
            keep = standing.offer(point, seen.values, _ended(active, seen.logits, early_stop))
            if step < steps:
                active, ball = active.take(keep), ball.take(keep)
                point, gradient, direction = taken(keep, point, seen.gradient, direction)
    return standing.result()


def _ended(examples: Examples, logits: Tensor, early_stop: bool) -> Tensor:
    fooled = examples.fooled(logits)
    return fooled if early_stop else torch.zeros_like(fooled)


def _unit(gradient: Tensor) -> Tensor:
    """The gradient over its L1 norm; zero where it is zero. Scaled first, since tiny ones would underflow in the sum."""
    flat = gradient.flatten(1)
    largest = flat.abs().amax(dim=1, keepdim=True)
    scaled = flat / largest.masked_fill(largest == 0, 1)
    return (scaled / scaled.abs().sum(dim=1, keepdim=True).clamp_min(1)).reshape(gradient.shape)
