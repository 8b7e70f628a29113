"""What a fit is given, and where it stands: its plan, its parts, its progress."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dlcli.contracts import Augment, Objective, Predictions, Schedule, Split
from dlcli.errors import DataError


class Average(Protocol):
    """An average of the weights over the steps."""

    def update(self, model: nn.Module, step: int) -> None: ...

    def tensors(self) -> Mapping[str, Tensor]: ...

    def load(self, tensors: Mapping[str, Tensor]) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What stays fixed during a fit; the keys of ``configs/trainer`` describe each field.

    Args:
        score_start: the weights before the first step are compared, too, and kept where no epoch is better: they know something.
    """

    epochs: int
    batch_size: int
    eval_batch_size: int
    accumulate: int
    precision: str
    clip_norm: float | None
    patience: int | None
    max_time: float | None
    save_every: int | None
    log_every: int
    monitor: str
    seed: int
    score_start: bool = False

    @property
    def monitored(self) -> str:
        """The metric that is compared; with ``monitor="last"`` every epoch's weights replace the ones before."""
        return "val/accuracy" if self.monitor == "last" else self.monitor

    def steps_per_epoch(self, examples: int) -> int:
        """Returns the optimizer steps that ``examples`` make."""
        return math.ceil(self.used_examples(examples) / (self.batch_size * self.accumulate))

    def used_examples(self, examples: int) -> int:
        """Returns how many examples an epoch uses: all, but for a last batch of one, which BatchNorm cannot train on."""
        return examples - 1 if examples > 1 and self.batch_size > 1 and examples % self.batch_size == 1 else examples


@dataclass(kw_only=True)
class Parts:
    """The objects that a fit moves: model and data, what is minimised, and how. Without val the last weights are kept.

    Args:
        evaluated: gives the logits of val; None is the model itself. It and ``forward`` may be a part of the model where train
            and val hold what goes into that part.
        thaw: called at each step as (model, step), the model in training mode, before anything is computed: says which
            parameters are trained and which modules stay in evaluation mode. It is a function of the step alone.
        observer: called at each step as (model, augmented inputs, step), gradients made and weights not yet moved; it changes
            nothing. Of several accumulated batches it sees the last one's inputs.
    """

    model: nn.Module
    forward: nn.Module
    train: Split
    val: Split | None
    augment: Augment
    objective: Objective
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    score: Callable[[Predictions], Mapping[str, float]]
    device: torch.device
    average: Average | None = None
    evaluated: nn.Module | None = None
    thaw: Callable[[nn.Module, int], None] | None = None
    observer: Callable[[nn.Module, Tensor, int], None] | None = None


@dataclass(kw_only=True)
class Progress:
    """Where a fit stands; saved with every checkpoint, plain numbers that JSON holds exactly."""

    step: int = 0
    epochs_closed: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    window_loss: float = 0.0
    window_seen: int = 0
    begun: bool = False  # what comes before the first step is done
    best_value: float | None = None
    best_step: int | None = None
    best_trained: float | None = None
    epochs_without_better: int = 0
    stopped_early: bool = False
    loss_scale: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Progress:
        """Returns what :meth:`to_dict` wrote; other keys are left out. Raises DataError where a value is of another type."""
        own = {entry.name: str(entry.type) for entry in fields(cls)}
        for name, value in values.items():
            if name in own and not isinstance(value, _JSON_TYPES[own[name]]):
                raise DataError(f"the checkpoint's progress says {name}={value!r}; expected {own[name]}")
        return cls(**{name: value for name, value in values.items() if name in own})


_JSON_TYPES = {
    "int": int,
    "float": int | float,
    "bool": bool,
    "int | None": int | None,
    "float | None": int | float | None,
    "dict[str, Any]": dict,
}
