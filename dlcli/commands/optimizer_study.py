"""``dl train optimizer_study``: which optimizers reach the lowest minimum of a non-convex function, from many starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from dlcli.contracts import Metric
from dlcli.metrics.intervals import wilson
from dlcli.optim.landscape import LANDSCAPES, Landscape, stuck, walk
from dlcli.randomness import SampleKeys, key
from dlcli.report.landscape import Walks, walks_plot

Function = Literal["styblinski_tang", "rastrigin", "rosenbrock"]


@dataclass(frozen=True)
class Outcome:
    """What a study found.

    Args:
        metrics: by the names of ``result.json``.
        pictures: PNGs by name.
        rows: a table for people, its header first.
    """

    metrics: Mapping[str, Metric]
    pictures: Mapping[str, bytes]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class OptimizerStudy:
    """SGD, SGD with momentum (Polyak 1964) and Adam (Kingma and Ba 2015) on a landscape with known minima.

    Every optimizer walks from the same starts, drawn evenly over the landscape, with every learning rate; a walk that does not
    end at the lowest minimum is stuck. The picture shows each optimizer's walks at the rate at which fewest were.

    Args:
        function: the landscape; see :mod:`dlcli.optim.landscape`.
        starts: how many.
        steps: of each walk.
        learning_rates: each is tried with each optimizer.
        momentum: of SGD with momentum, in [0, 1).
        noise: standard deviation added to each gradient, as a mini-batch would; 0 is none.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"

    function: Function = "styblinski_tang"
    starts: int = 20
    steps: int = 500
    learning_rates: Sequence[float] = (0.001, 0.003, 0.01, 0.03, 0.1)
    momentum: float = 0.9
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("starts", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.learning_rates or min(self.learning_rates) <= 0:
            raise ValueError(f"learning_rates must be positive numbers, got {list(self.learning_rates)}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {self.momentum}")
        if self.noise < 0:
            raise ValueError(f"noise must be at least 0, got {self.noise}")

    def __call__(self, *, seed: int) -> Outcome:
        """Returns ``study/stuck/OPTIMIZER`` at its best rate, and ``study/stuck/OPTIMIZER/RATE`` at each."""
        landscape = LANDSCAPES[self.function]
        metrics: dict[str, Metric] = {}
        rows = [["optimizer", *(f"lr {rate:g}" for rate in self.learning_rates)]]
        best: list[Walks] = []
        for name, make in self._optimizers().items():
            walks = [self._walks(landscape, name, make, rate, seed=seed) for rate in self.learning_rates]
            shares = {
                rate: wilson(int(own.stuck.sum()), self.starts) for rate, own in zip(self.learning_rates, walks, strict=True)
            }
            metrics |= {f"study/stuck/{name}/{rate:g}": share for rate, share in shares.items()}
            chosen = min(walks, key=lambda own: int(own.stuck.sum()))
            metrics[f"study/stuck/{name}"] = wilson(int(chosen.stuck.sum()), self.starts)
            rows.append([name, *(f"{round(share.value * self.starts)} of {self.starts}" for share in shares.values())])
            best.append(chosen)
        picture = walks_plot(landscape.height, landscape.radius, best, title=self.function)
        return Outcome(metrics, {"walks": picture}, rows)

    def _optimizers(self) -> dict[str, Callable[[list[Tensor], float], torch.optim.Optimizer]]:
        return {
            "sgd": lambda points, rate: torch.optim.SGD(points, lr=rate),
            "momentum": lambda points, rate: torch.optim.SGD(points, lr=rate, momentum=self.momentum),
            "adam": lambda points, rate: torch.optim.Adam(points, lr=rate),
        }

    def _walks(self, landscape: Landscape, name: str, make: Any, rate: float, *, seed: int) -> Walks:
        rng = SampleKeys(key(seed, "study"), torch.arange(self.starts))
        starts = rng.uniform("starts", 0, (2,), low=-landscape.radius, high=landscape.radius).double()
        noise = self.noise * rng.normal("noise", 0, (self.steps, 2)).double().transpose(0, 1)
        track = walk(landscape, starts, lambda points: make(points, rate), steps=self.steps, noise=noise)
        return Walks(f"{name}, lr {rate:g}", track, stuck(landscape, track[-1]))
