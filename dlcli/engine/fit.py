"""The training loop: a generator of reports that touches no files.

Position is one integer, ``Progress.step``. Order, augmentation and dropout are functions of (seed, epoch or step, example),
so a loop that starts at any step continues bit for bit what an uninterrupted one would have done.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dlcli.contracts import Augment, Batch, Objective, Predictions, Schedule, Split, predicted_classes
from dlcli.engine.device import autocast
from dlcli.engine.evaluate import evaluate, joined
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys, borrowed_rng, key, permutation, seed_step


class Average(Protocol):
    """An average of the weights over the steps."""

    def update(self, model: nn.Module, step: int) -> None: ...

    def tensors(self) -> Mapping[str, Tensor]: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What stays fixed during a fit; the keys of ``configs/trainer`` describe each field."""

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

    def steps_per_epoch(self, examples: int) -> int:
        """Returns the optimizer steps that ``examples`` make."""
        return math.ceil(self.used_examples(examples) / (self.batch_size * self.accumulate))

    def used_examples(self, examples: int) -> int:
        """Returns how many examples an epoch uses: all, but for a last batch of one, which BatchNorm cannot train on."""
        return examples - 1 if examples > 1 and self.batch_size > 1 and examples % self.batch_size == 1 else examples


@dataclass(kw_only=True)
class Parts:
    """The objects that a fit moves: model and data, what is minimised, and how."""

    model: nn.Module
    forward: nn.Module
    train: Split
    val: Split
    augment: Augment
    objective: Objective
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    score: Callable[[Predictions], Mapping[str, float]]
    device: torch.device
    average: Average | None = None


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
    best_value: float | None = None
    best_step: int | None = None
    epochs_without_better: int = 0
    stopped_early: bool = False
    loss_scale: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Progress:
        """Returns what :meth:`to_dict` wrote; other keys are left out."""
        return cls(**{name: value for name, value in values.items() if name in cls.__dataclass_fields__})


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
    """At the end of an epoch: ``train/…`` and ``val/…`` numbers, and whether the monitor is the best so far."""

    step: int
    epoch: int
    metrics: Mapping[str, float]
    best: bool


@dataclass(frozen=True)
class SaveDue:
    """The state should be saved now; ``reason`` is None, or why the fit ends early: a signal number or "max_time"."""

    step: int
    reason: int | str | None = None


Report = StepReport | EpochReport | SaveDue


class NonFiniteError(ComputeError):
    """A loss or gradient is NaN or infinite; the optimizer step was not taken. ``dump`` names step, layers, examples."""

    def __init__(self, message: str, *, hint: str, dump: Mapping[str, Any]) -> None:
        super().__init__(message, hint=hint)
        self.dump = dict(dump)


def fit(parts: Parts, plan: Plan, progress: Progress, *, stop: Callable[[], int | None] = lambda: None) -> Iterator[Report]:
    """Trains until the plan is done; yields reports and moves ``progress`` along.

    Args:
        stop: polled at every step; a signal number ends the fit after a :class:`SaveDue`.

    Raises:
        NonFiniteError: before the optimizer step that would have used the numbers.
    """
    per_epoch = plan.steps_per_epoch(len(parts.train))
    total = per_epoch * plan.epochs
    started = time.monotonic()
    scaler = torch.amp.GradScaler(parts.device.type, enabled=plan.precision == "fp16")
    if progress.loss_scale:
        scaler.load_state_dict(progress.loss_scale)
    groups: Iterator[list[Batch]] = iter(())
    groups_of_epoch = -1
    while True:
        if progress.epochs_closed < progress.step // per_epoch:
            report = _close_epoch(parts, plan, progress, stop)
            if report is not None:
                yield report
                yield SaveDue(progress.step)
        reason = stop() or ("max_time" if plan.max_time and time.monotonic() - started > plan.max_time else None)
        done = progress.step >= total or progress.stopped_early
        if done and progress.epochs_closed * per_epoch >= progress.step:
            return
        if reason is not None:
            yield SaveDue(progress.step, reason)
            return
        epoch = progress.step // per_epoch
        if groups_of_epoch != epoch:
            groups, groups_of_epoch = _step_batches(parts.train, plan, epoch, progress.step % per_epoch), epoch
        with borrowed_rng():
            _train_step(parts, plan, progress, next(groups), scaler)
        progress.loss_scale = scaler.state_dict()
        if progress.step % plan.log_every == 0:
            yield _step_report(parts, progress, epoch)
        if plan.save_every and progress.step % plan.save_every == 0 and progress.step % per_epoch != 0:
            yield SaveDue(progress.step)


def _step_batches(split: Split, plan: Plan, epoch: int, first_step: int) -> Iterator[list[Batch]]:
    """Yields the batches of one optimizer step after the other, from any step of the epoch on."""
    order = permutation(plan.seed, epoch, len(split))[: plan.used_examples(len(split))]
    batches = split.batches(order[first_step * plan.batch_size * plan.accumulate :], plan.batch_size)
    while group := list(itertools.islice(batches, plan.accumulate)):
        yield group


def _train_step(parts: Parts, plan: Plan, progress: Progress, batches: list[Batch], scaler: torch.amp.GradScaler) -> None:
    step = progress.step
    parts.model.train()
    examples = sum(len(batch.targets) for batch in batches)
    seed = key(plan.seed, "sample")
    loss_sum = torch.zeros((), device=parts.device)
    correct = torch.zeros((), dtype=torch.int64, device=parts.device)
    for number, batch in enumerate(batches):
        rng = SampleKeys(seed, batch.index)
        seed_step(plan.seed, "dropout", step * plan.accumulate + number)
        augmented = replace(batch, inputs=parts.augment(batch.inputs, rng=rng, step=step))
        with autocast(plan.precision, parts.device):
            loss = parts.objective(parts.forward, augmented, rng=rng, step=step)
        share = loss.value * (len(batch.targets) / examples)
        scaler.scale(share).backward()  # type: ignore[no-untyped-call]
        loss_sum += share.detach()
        correct += (predicted_classes(loss.logits.detach()) == batch.targets).sum()
    scaler.unscale_(parts.optimizer)
    gradients = [parameter.grad for parameter in parts.model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    # One synchronisation a step on a GPU: the price of stopping before the step and not after it.
    finite = torch.isfinite(loss_sum) if plan.precision == "fp16" else torch.isfinite(loss_sum + norm)
    if not finite:
        raise _non_finite(parts, progress, batches, float(loss_sum))
    if plan.clip_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(parts.model.parameters(), plan.clip_norm, norm)
    multiplier = parts.schedule(step)
    for group in parts.optimizer.param_groups:
        group["lr"] = group["initial_lr"] * multiplier
    scaler.step(parts.optimizer)
    scaler.update()
    parts.optimizer.zero_grad(set_to_none=True)
    if parts.average is not None:
        parts.average.update(parts.model, step)
    _count(progress, examples, float(loss_sum), int(correct))


def _count(progress: Progress, examples: int, loss: float, correct: int) -> None:
    progress.step += 1
    progress.loss_sum += loss * examples
    progress.correct += correct
    progress.seen += examples
    progress.window_loss += loss * examples
    progress.window_seen += examples


def _step_report(parts: Parts, progress: Progress, epoch: int) -> StepReport:
    loss = progress.window_loss / progress.window_seen
    progress.window_loss, progress.window_seen = 0.0, 0
    accuracy = progress.correct / progress.seen
    return StepReport(progress.step, epoch, loss, accuracy, parts.optimizer.param_groups[0]["lr"])


def _close_epoch(parts: Parts, plan: Plan, progress: Progress, stop: Callable[[], int | None]) -> EpochReport | None:
    """Validates and compares with the best; None where a signal came in between (the epoch then stays open)."""

    def check() -> None:
        if stop() is not None:
            raise _SignalArrivedError

    epoch = progress.epochs_closed
    try:
        with averaged_weights(parts.model, parts.average):
            predictions = joined(evaluate(parts.model, parts.val, batch_size=plan.eval_batch_size, check=check))
    except _SignalArrivedError:
        return None
    metrics = {"train/loss": progress.loss_sum / progress.seen, "train/accuracy": progress.correct / progress.seen}
    metrics |= {**parts.score(predictions), "train/lr": parts.optimizer.param_groups[0]["lr"]}
    value = metrics[plan.monitor]
    if not math.isfinite(metrics["val/loss"]):
        hint = "a smaller optimizer.lr, or trainer.clip_norm=1"
        raise NonFiniteError(f"val/loss is not finite after epoch {epoch + 1}", hint=hint, dump={"step": progress.step, "epoch": epoch})
    best = progress.best_value is None or (value < progress.best_value if plan.monitor == "val/loss" else value > progress.best_value)
    if best:
        progress.best_value, progress.best_step, progress.epochs_without_better = value, progress.step, 0
    else:
        progress.epochs_without_better += 1
    progress.stopped_early = plan.patience is not None and progress.epochs_without_better >= plan.patience
    progress.epochs_closed += 1
    progress.loss_sum, progress.correct, progress.seen = 0.0, 0, 0
    return EpochReport(progress.step, epoch, metrics, best)


class _SignalArrivedError(Exception):
    """Leaves the validation loop; never leaves this module."""


@contextmanager
def averaged_weights(model: nn.Module, average: Average | None) -> Iterator[None]:
    """Lends the model the averaged weights, and gives it its own back, bit for bit."""
    if average is None:
        yield
        return
    own = {name: value.detach().clone() for name, value in model.state_dict().items()}
    try:
        model.load_state_dict(dict(average.tensors()))
        yield
    finally:
        model.load_state_dict(own)


def _non_finite(parts: Parts, progress: Progress, batches: list[Batch], loss: float) -> NonFiniteError:
    layers = [name for name, parameter in parts.model.named_parameters() if parameter.grad is not None and not parameter.grad.isfinite().all()]
    what = f"loss is {loss}" if not math.isfinite(loss) else f"gradient of {layers[0] if layers else 'the model'} is not finite"
    examples = torch.cat([batch.index for batch in batches]).tolist()
    return NonFiniteError(
        f"{what} at step {progress.step}; stopped before the optimizer step",
        hint="a smaller optimizer.lr, or trainer.clip_norm=1",
        dump={"step": progress.step, "loss": str(loss), "layers": layers, "examples": examples},
    )
