"""The learning-rate range test: at which rates does the loss fall, and at which does training break?"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from dlcli.contracts import Schedule
from dlcli.engine.fit import fit
from dlcli.engine.reports import NonFiniteError, StepReport
from dlcli.engine.state import Parts, Plan, Progress

LOWEST, HIGHEST, STEPS = 1e-7, 10.0, 100
_BROKEN = 4.0  # Gugger's: a smoothed loss this many times the lowest one so far has diverged
_KEPT = 0.9  # share of the running mean that a step keeps
_REACH = 4  # steps on either side that the drawn mean rests on: 100 steps over 8 decades are 12 a decade


@dataclass(frozen=True, kw_only=True)
class RangeTest:
    """What a range test saw, one entry per step, at rising learning rates.

    Args:
        rates: learning rates, rising by a constant factor.
        losses: of each step's batch, before the step.
        smoothed: the mean of each loss with its neighbours on both sides.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]

    @classmethod
    def of(cls, rates: Sequence[float], losses: Sequence[float]) -> RangeTest:
        """Returns the test with its smoothed losses."""
        windows = [losses[max(place - _REACH, 0) : place + _REACH + 1] for place in range(len(losses))]
        return cls(rates=tuple(rates), losses=tuple(losses), smoothed=tuple(sum(each) / len(each) for each in windows))

    @property
    def lowest(self) -> float | None:
        """The rate at which the smoothed loss is lowest; None where the loss did not fall by more than its own noise."""
        place = self._lowest_place
        return None if place is None else self.rates[place]

    @property
    def tenth(self) -> float | None:
        """A tenth of :attr:`lowest`: the largest rate that is still safely below the turn (Gugger 2018)."""
        return None if self.lowest is None else self.lowest / 10

    @property
    def steepest(self) -> float | None:
        """The rate at which the smoothed loss falls fastest over the logarithm of the rate; None as for :attr:`lowest`."""
        last = self._lowest_place
        if last is None:
            return None
        slopes = [later - earlier for earlier, later in pairwise(self.smoothed[: last + 1])]
        place = slopes.index(min(slopes))
        return math.sqrt(self.rates[place] * self.rates[place + 1])

    @property
    def _lowest_place(self) -> int | None:
        if len(self.smoothed) <= 2 * _REACH:
            return None
        place = self.smoothed.index(min(self.smoothed))
        before = list(zip(self.losses[: place + 1], self.smoothed[: place + 1], strict=True))
        noise = math.sqrt(sum((loss - mean) ** 2 for loss, mean in before) / len(before))
        return place if self.smoothed[0] - self.smoothed[place] > noise else None


@dataclass(frozen=True, kw_only=True)
class Rising(Schedule):
    """Learning rates, not multipliers, from ``low`` to ``high``, each the same factor above the one before."""

    low: float = LOWEST
    high: float = HIGHEST

    def __call__(self, step: int) -> float:
        return float(self.low * (self.high / self.low) ** (step / max(self.total_steps - 1, 1)))


def range_test(
    parts: Parts, plan: Plan, *, steps: int = STEPS, stop: Callable[[], int | None] = lambda: None, tell: Callable[[int], None]
) -> RangeTest:
    """Takes training steps at exponentially rising learning rates until the loss diverges.

    The idea is Smith's (2017, "Cyclical learning rates for training neural networks", §3.3); exponential rates, and the end at
    four times the lowest loss, are Gugger's (2018, "How do you find a good learning rate"). The steps are those of
    :func:`~dlcli.engine.fit.fit` on copies of the model and the optimizer: ``parts`` stays as it is, bit for bit, and a later
    fit draws the same numbers. Groups with other rates keep their ratios.

    Args:
        steps: at most so many.
        stop: polled at every step; the test then ends where it is.
        tell: called with the number of steps done.
    """
    model, optimizer = copy.deepcopy((parts.model, parts.optimizer))
    first = optimizer.param_groups[0]["initial_lr"]
    for group in optimizer.param_groups:
        group["initial_lr"] = group["initial_lr"] / first if first else 1.0
    own = replace(
        parts,
        model=model,
        forward=model,
        val=None,
        optimizer=optimizer,
        schedule=Rising(total_steps=steps),
        average=None,
        observer=None,
    )
    epochs = math.ceil(steps / plan.steps_per_epoch(len(parts.train)))
    limits = replace(plan, epochs=epochs, log_every=1, monitor="last", max_time=None, patience=None, save_every=None)
    rates: list[float] = []
    losses: list[float] = []
    running, lowest = 0.0, math.inf
    try:
        for report in fit(own, limits, Progress(), stop=stop):
            if not isinstance(report, StepReport):
                continue
            rates.append(report.learning_rate)
            losses.append(report.loss)
            tell(len(losses))
            running = _KEPT * running + (1 - _KEPT) * report.loss
            mean = running / (1 - _KEPT ** len(losses))
            lowest = min(lowest, mean)
            if len(losses) == steps or 0 < _BROKEN * lowest < mean:
                break
    except NonFiniteError:
        pass  # diverged, which is what the test is after
    return RangeTest.of(rates, losses)
