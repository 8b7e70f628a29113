"""The climb of AutoPGD: steps whose length adapts to what they gain, for any loss."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Ball, Norm, steepest
from dlcli.attacks.examples import Examples, Standing
from dlcli.attacks.gradients import look
from dlcli.attacks.losses import Loss
from dlcli.attacks.starts import on_sphere

# Of the last change of direction, a step keeps a quarter (the paper's 1 - α).
_NEW = 0.75
# A step is halved where fewer than this share of the steps since the last checkpoint gained something (the paper's ρ).
_GAINING = 0.75


def checkpoints(steps: int) -> list[int]:
    """Returns after which steps the length is reconsidered: ⌈p_j · steps⌉ with p = 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93 …

    The distances between the p_j shrink by 0.03 down to 0.06 (Croce and Hein 2020, §3.2). In whole hundredths, since 0.41 · 100
    is not 41 in floating point.
    """
    hundredths = [0, 22]
    while (following := hundredths[-1] + max(hundredths[-1] - hundredths[-2] - 3, 6)) <= 100:
        hundredths.append(following)
    return sorted({-(-share * steps // 100) for share in hundredths[1:]})


@dataclass
class _Climb:
    """Where each example's climb is; all (n, ...) or (n,)."""

    point: Tensor
    previous: Tensor
    gradient: Tensor
    value: Tensor
    length: Tensor
    best_point: Tensor
    best_gradient: Tensor
    best_value: Tensor
    gains: Tensor
    halved: Tensor
    best_at_check: Tensor

    def keep(self, rows: Tensor) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[rows])

    def reconsider(self, window: int) -> None:
        """Halves the step, and goes back to the best point, where it gained too seldom or the last window gained nothing."""
        stuck = ~self.halved & (self.best_at_check == self.best_value)
        halve = (self.gains < _GAINING * window) | stuck
        wide = halve.reshape(self.length.shape)
        self.length = torch.where(wide, self.length / 2, self.length)
        self.point = torch.where(wide, self.best_point, self.point)
        self.gradient = torch.where(wide, self.best_gradient, self.gradient)
        self.value = torch.where(halve, self.best_value, self.value)
        self.halved, self.best_at_check, self.gains = halve, self.best_value, torch.zeros_like(self.gains)


def autopgd(
    model: nn.Module,
    examples: Examples,
    standing: Standing,
    *,
    loss: Loss,
    rank: Loss,
    norm: Norm,
    epsilon: float,
    steps: int,
    restart: int,
    start: Tensor | None = None,
) -> None:
    """Climbs ``loss`` once for the examples that still stand (Croce and Hein 2020, "Reliable evaluation", Algorithm 1).

    z = Π(x_k + η · s(g)), x_{k+1} = Π(x_k + 0.75 · (z - x_k) + 0.25 · (x_k - x_{k-1})), from η = 2ε and a random start at
    distance ε. Costs steps + 1 forward and ``steps`` backward passes for each example that it does not break.

    Args:
        examples: those at ``standing.rows``.
        rank: what points are compared by between climbs that have different losses.
        restart: number of the climb, which its random start depends on.
        start: points inside the ball to start from, (n, ...); None draws them.
    """
    ball = Ball(examples.inputs, norm, epsilon)
    if start is None:
        noise = on_sphere(examples.keys, "apgd/start", restart, tuple(examples.inputs.shape[1:]), norm=norm, epsilon=epsilon)
        start = ball.nearest(examples.inputs + noise.to(examples.inputs.dtype))
    seen = look(model, start, examples, loss)
    climb = _begin(start, seen.gradient, seen.values, length=2 * epsilon)
    keep = standing.offer(start, rank(seen.logits, examples), examples.fooled(seen.logits))
    if keep is not None:
        examples, ball = examples.take(keep), ball.take(keep)
        climb.keep(keep)
    windows = {later: later - earlier for earlier, later in pairwise([0, *checkpoints(steps)])}
    for step in range(1, steps + 1):
        if not len(examples):
            return
        _advance(climb, ball, new=1.0 if step == 1 else _NEW)
        seen = look(model, climb.point, examples, loss, gradient=step < steps)
        keep = standing.offer(climb.point, rank(seen.logits, examples), examples.fooled(seen.logits))
        if step == steps:
            return
        _note(climb, seen.gradient, seen.values)
        if keep is not None:
            examples, ball = examples.take(keep), ball.take(keep)
            climb.keep(keep)
        if step in windows:
            climb.reconsider(windows[step])


def _begin(start: Tensor, gradient: Tensor, values: Tensor, *, length: float) -> _Climb:
    count = len(start)
    return _Climb(
        point=start,
        previous=start,
        gradient=gradient,
        value=values,
        length=torch.full((count, *[1] * (start.ndim - 1)), length, device=start.device, dtype=start.dtype),
        best_point=start,
        best_gradient=gradient,
        best_value=values,
        gains=torch.zeros(count, device=start.device),
        halved=torch.zeros(count, dtype=torch.bool, device=start.device),
        best_at_check=values,
    )


def _advance(climb: _Climb, ball: Ball, *, new: float) -> None:
    ahead = ball.nearest(climb.point + climb.length * steepest(climb.gradient, ball.norm))
    moved = climb.point + new * (ahead - climb.point) + (1 - new) * (climb.point - climb.previous)
    climb.previous, climb.point = climb.point, ball.nearest(moved)


def _note(climb: _Climb, gradient: Tensor, values: Tensor) -> None:
    climb.gains += values > climb.value
    better = values > climb.best_value
    wide = better.reshape(climb.length.shape)
    climb.gradient, climb.value = gradient, values
    climb.best_point = torch.where(wide, climb.point, climb.best_point)
    climb.best_gradient = torch.where(wide, gradient, climb.best_gradient)
    climb.best_value = torch.where(better, values, climb.best_value)
