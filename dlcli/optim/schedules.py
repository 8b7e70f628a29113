"""Learning-rate schedules: what the peak learning rate is multiplied by at each optimizer step.

Each value is in [0, 1], and the peak is 1. The peak and the end fall on whole steps, so the first, highest and last
values are exactly those that were asked for, also in runs of one or two steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from dlcli.contracts import Schedule

Anneal = Literal["linear", "cosine"]


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """The same learning rate at every step."""

    def __post_init__(self) -> None:
        _check_steps(self.total_steps)

    def __call__(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """Multiplies the learning rate by ``factor`` at each milestone.

    Args:
        milestones: fractions of the run in (0, 1), rising.
        factor: in (0, 1].
    """

    milestones: list[float] = field(default_factory=lambda: [0.5, 0.75])
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check_steps(self.total_steps)
        rising = all(earlier < later for earlier, later in pairwise(self.milestones))
        if not rising or not all(0.0 < milestone < 1.0 for milestone in self.milestones):
            raise ValueError(f"milestones must be rising fractions of the run in (0, 1), got {self.milestones}")
        if not 0.0 < self.factor <= 1.0:
            raise ValueError(f"factor must be in (0, 1], got {self.factor}")

    def __call__(self, step: int) -> float:
        passed = sum(step / self.total_steps >= milestone for milestone in self.milestones)
        return float(self.factor**passed)


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """Linear warm-up, then half a cosine down (Loshchilov and Hutter 2017, "SGDR", equation 5, without restarts).

    Differs from the paper: the final multiplier is that of the last step, not of the step after it.

    Args:
        warmup: the fraction of the run that rises to the peak, in [0, 1); its first step is not zero.
        final: multiplier at the last step, in [0, 1].
    """

    warmup: float = 0.0
    final: float = 0.0

    def __post_init__(self) -> None:
        _check_steps(self.total_steps)
        _check_warmup(self.warmup)
        _check_multiplier("final", self.final)

    def __call__(self, step: int) -> float:
        peak = _peak_step(self.warmup, self.total_steps)
        if step <= peak:
            return (step + 1) / (peak + 1)
        return _between(1.0, self.final, (step - peak) / (self.total_steps - 1 - peak), "cosine")


@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """Up to the peak and down again in one cycle (Smith and Topin 2018, "Super-convergence").

    Equals ``torch.optim.lr_scheduler.OneCycleLR`` where ``warmup * total_steps`` is whole; elsewhere the peak is
    moved to the nearest step. Momentum stays as it is.

    Args:
        warmup: the fraction of the run that rises to the peak, in [0, 1).
        start: multiplier at the first step, in [0, 1].
        final: multiplier at the last step, in [0, 1].
        anneal: shape of both slopes.
    """

    warmup: float = 0.2
    start: float = 0.01
    final: float = 0.001
    anneal: Anneal = "linear"

    def __post_init__(self) -> None:
        _check_steps(self.total_steps)
        _check_warmup(self.warmup)
        _check_multiplier("start", self.start)
        _check_multiplier("final", self.final)
        if self.anneal not in {"linear", "cosine"}:
            raise ValueError(f"anneal must be 'linear' or 'cosine', got {self.anneal!r}")

    def __call__(self, step: int) -> float:
        peak = _peak_step(self.warmup, self.total_steps)
        if step == peak:
            return 1.0
        if step < peak:
            return _between(self.start, 1.0, step / peak, self.anneal)
        return _between(1.0, self.final, (step - peak) / (self.total_steps - 1 - peak), self.anneal)


def _peak_step(warmup: float, total_steps: int) -> int:
    """Returns the step at which the multiplier is 1: the last of the warm-up's steps, or the first of the run."""
    return min(max(round(warmup * total_steps) - 1, 0), total_steps - 1)


def _between(start: float, end: float, progress: float, anneal: Anneal) -> float:
    """Returns ``start`` at progress 0 and ``end`` at progress 1, exactly, and values between them elsewhere."""
    share = progress if anneal == "linear" else (1.0 - math.cos(math.pi * progress)) / 2.0
    return start * (1.0 - share) + end * share


def _check_steps(total_steps: int) -> None:
    if total_steps < 1:
        raise ValueError(f"total_steps must be at least 1, got {total_steps}")


def _check_warmup(warmup: float) -> None:
    if not 0.0 <= warmup < 1.0:
        raise ValueError(f"warmup must be a fraction of the run in [0, 1), got {warmup}")


def _check_multiplier(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be a multiplier in [0, 1], got {value}")
