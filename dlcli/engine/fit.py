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

import torch
from torch import nn

from dlcli.classifier import predicted_classes
from dlcli.contracts import Batch, Split
from dlcli.engine.device import autocast
from dlcli.engine.evaluate import evaluate, joined
from dlcli.engine.reports import EpochReport, NonFiniteError, Report, SaveDue, StepReport
from dlcli.engine.state import ROBUST, Average, Parts, Plan, Progress
from dlcli.randomness import SampleKeys, borrowed_rng, key, permutation, seed_step


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
    if plan.score_start and plan.monitor != "last" and parts.val is not None and progress.best_step is None and not progress.step:
        metrics = _validated(parts, plan, stop)
        if metrics is not None:
            progress.best_value, progress.best_step = metrics[plan.monitored], 0
            yield EpochReport(0, -1, metrics, best=True)
            yield _save_due(parts, progress, scaler)
    while True:
        if progress.epochs_closed < progress.step // per_epoch:
            report = _close_epoch(parts, plan, progress, stop)
            if report is not None:
                yield report
                yield _save_due(parts, progress, scaler)
        reason = stop() or ("max_time" if plan.max_time and time.monotonic() - started > plan.max_time else None)
        done = progress.step >= total or progress.stopped_early
        if done and progress.epochs_closed * per_epoch >= progress.step:
            return
        if reason is not None:
            yield _save_due(parts, progress, scaler, reason)
            return
        epoch = progress.step // per_epoch
        if groups_of_epoch != epoch:
            groups, groups_of_epoch = _step_batches(parts.train, plan, epoch, progress.step % per_epoch), epoch
        with borrowed_rng():
            _train_step(parts, plan, progress, next(groups), scaler)
        if progress.step % plan.log_every == 0:
            yield _step_report(parts, progress, epoch)
        if plan.save_every and progress.step % plan.save_every == 0 and progress.step % per_epoch != 0:
            yield _save_due(parts, progress, scaler)


def _save_due(parts: Parts, progress: Progress, scaler: torch.amp.GradScaler, reason: int | str | None = None) -> SaveDue:
    """The report, once the state is known to be worth saving: finite weights, in step with the loss scale."""
    broken = [name for name, parameter in parts.model.named_parameters() if not parameter.isfinite().all()]
    if broken:
        message = f"weights of {broken[0]} are not finite after step {progress.step}; the last checkpoint stands"
        raise NonFiniteError(message, dump={"step": progress.step, "layers": broken})
    progress.loss_scale = scaler.state_dict()
    return SaveDue(progress.step, reason)


def _step_batches(split: Split, plan: Plan, epoch: int, first_step: int) -> Iterator[list[Batch]]:
    """Yields the batches of one optimizer step after the other, from any step of the epoch on."""
    order = permutation(plan.seed, epoch, len(split))[: plan.used_examples(len(split))]
    batches = split.batches(order[first_step * plan.batch_size * plan.accumulate :], plan.batch_size)
    while group := list(itertools.islice(batches, plan.accumulate)):
        yield group


def _train_step(parts: Parts, plan: Plan, progress: Progress, batches: list[Batch], scaler: torch.amp.GradScaler) -> None:
    step = progress.step
    parts.model.train()
    if parts.thaw is not None:
        parts.thaw(parts.model, step)
    examples = sum(len(batch.targets) for batch in batches)
    seed = key(plan.seed, "sample")
    loss_sum = torch.zeros((), device=parts.device)
    correct = torch.zeros((), dtype=torch.int64, device=parts.device)
    for number, batch in enumerate(batches):
        rng = SampleKeys(seed, batch.index)
        seed_step(plan.seed, "dropout", step * plan.accumulate + number)
        augmented = parts.augment.batch(batch, rng=rng, step=step)
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
    if parts.observer is not None:
        parts.observer(parts.model, augmented.inputs, step)
    if plan.clip_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(parts.model.parameters(), plan.clip_norm, norm)
    for group in parts.optimizer.param_groups:
        group["lr"] = group["initial_lr"] * parts.schedule(step)
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
    epoch = progress.epochs_closed
    metrics = {"train/loss": progress.loss_sum / progress.seen, "train/accuracy": progress.correct / progress.seen}
    if parts.val is not None:
        found = _validated(parts, plan, stop)
        if found is None:
            return None
        metrics |= found
        if not math.isfinite(metrics["val/loss"]):
            raise NonFiniteError(f"val/loss is not finite after epoch {epoch + 1}", dump={"step": progress.step, "epoch": epoch})
    fallen_from = _robust_fall(progress, plan, metrics)
    best = fallen_from is None and _compare_with_best(progress, plan, metrics)
    progress.stopped_early = progress.stopped_early or fallen_from is not None
    progress.epochs_closed += 1
    progress.loss_sum, progress.correct, progress.seen = 0.0, 0, 0
    return EpochReport(progress.step, epoch, metrics, best, fallen_from)


def _robust_fall(progress: Progress, plan: Plan, metrics: Mapping[str, float]) -> float | None:
    """The best robust accuracy so far where this epoch's has collapsed, else None.

    Within one epoch a model that is trained on one-step attacks can lose all that it has against others (Wong, Rice and Kolter
    2020, "Fast is better than free", §5.3). It does not come back, so the weights before it are the result.
    """
    value = metrics.get(ROBUST)
    if plan.guard is None or value is None:
        return None
    best = progress.best_robust
    if best is not None and value < best - plan.guard:
        return best
    progress.best_robust = value if best is None else max(best, value)
    return None


def _validated(parts: Parts, plan: Plan, stop: Callable[[], int | None]) -> dict[str, float] | None:
    """The figures on val; None where a signal came in between."""
    assert parts.val is not None

    def check() -> None:
        if stop() is not None:
            raise _SignalArrivedError

    judged = parts.evaluated or parts.model
    try:
        with averaged_weights(parts.model, parts.average):
            found = dict(parts.score(joined(evaluate(judged, parts.val, batch_size=plan.eval_batch_size, check=check))))
            return found if parts.judge is None else {**found, **parts.judge(judged, check)}
    except _SignalArrivedError:
        return None


def _compare_with_best(progress: Progress, plan: Plan, metrics: Mapping[str, float]) -> bool:
    """Returns whether this epoch's weights are the ones to keep, and whether patience has run out is noted."""
    if plan.monitored not in metrics:  # no validation data
        progress.best_step = progress.step
        return True
    value = metrics[plan.monitored]

    def beats(before: float | None) -> bool:
        return before is None or (value < before if plan.monitor == "val/loss" else value > before)

    better = beats(progress.best_value)
    # Patience is for the epochs of this fit: what the weights were worth before it is no reason to give up.
    progress.epochs_without_better = 0 if beats(progress.best_trained) else progress.epochs_without_better + 1
    progress.best_trained = value if beats(progress.best_trained) else progress.best_trained
    progress.stopped_early = plan.patience is not None and progress.epochs_without_better >= plan.patience
    if better or plan.monitor == "last":
        progress.best_value, progress.best_step = value, progress.step
        return True
    return False


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
    layers = [
        name
        for name, parameter in parts.model.named_parameters()
        if parameter.grad is not None and not parameter.grad.isfinite().all()
    ]
    what = f"loss is {loss}" if not math.isfinite(loss) else f"gradient of {layers[0] if layers else 'the model'} is not finite"
    examples = torch.cat([batch.index for batch in batches]).tolist()
    return NonFiniteError(
        f"{what} at step {progress.step}; stopped before the optimizer step",
        dump={"step": progress.step, "loss": str(loss), "layers": layers, "examples": examples},
    )
