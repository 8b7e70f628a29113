"""The radius that a model is trained at, step by step, and the size of the steps inside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import Norm, check_epsilon


@dataclass(frozen=True, kw_only=True)
class Radius:
    """A radius that rises in a straight line from the first step of a run on, and then stays.

    At ε = 0.3 on MNIST a network that starts from random weights may not learn anything; with a rise it does.

    Args:
        epsilon: the final radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
        steps: gradient steps of the inner climb; at least 1.
        reach: length of all these steps together in units of the radius, above 0.
        warmup: share of the run over which the radius rises, in [0, 1].
        total_steps: optimizer steps of the run.

    Raises:
        ValueError: a value out of its range.
    """

    epsilon: float
    norm: Norm
    steps: int
    reach: float
    warmup: float
    total_steps: int

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)
        check_counts(steps=self.steps, total_steps=self.total_steps)
        if not (math.isfinite(self.reach) and self.reach > 0):
            raise ValueError(f"reach must be finite and above 0, got {self.reach}")
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"warmup must be in [0, 1], got {self.warmup}")

    def at(self, step: int) -> float:
        """Returns the radius of optimizer step ``step``, from 0: already above 0 at the first one, and full behind the rise."""
        rising = math.ceil(self.warmup * self.total_steps)
        return self.epsilon * min(1.0, (step + 1) / (rising + 1))

    def step_size(self, step: int) -> float:
        """Returns the length of an inner step at optimizer step ``step``: reach · ε / steps."""
        return self.reach * self.at(step) / self.steps


def check_guard(guard: float | None) -> None:
    """Refuses a guard that is no share of the examples (ValueError)."""
    if guard is not None and not 0 < guard < 1:
        raise ValueError(f"guard must be in (0, 1), or null, got {guard}")
