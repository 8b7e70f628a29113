"""What a fit says while it runs, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcli.errors import ComputeError


@dataclass(frozen=True)
class StepReport:
    """Every ``log_every`` steps: mean loss since the last one, accuracy of the epoch so far."""

    step: int
    epoch: int
    loss: float
    accuracy: float
    learning_rate: float


@dataclass(frozen=True)
class EpochReport:
    """At the end of an epoch: ``train/…`` and ``val/…`` numbers, and whether the monitor is the best so far.

    ``fallen_from`` is the best robust accuracy where this epoch's is so far below it that training ends; else None.
    """

    step: int
    epoch: int
    metrics: Mapping[str, float]
    best: bool
    fallen_from: float | None = None


@dataclass(frozen=True)
class SaveDue:
    """The state should be saved now; ``reason`` is None, or why the fit ends early: a signal number or "max_time"."""

    step: int
    reason: int | str | None = None


Report = StepReport | EpochReport | SaveDue


class NonFiniteError(ComputeError):
    """A number is NaN or infinite. ``dump`` names the step, and what is known of layers and examples."""

    def __init__(self, message: str, *, dump: Mapping[str, Any]) -> None:
        super().__init__(message, hint="a smaller optimizer.lr, or trainer.clip_norm=1")
        self.dump = dict(dump)
