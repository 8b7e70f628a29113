"""What train and finetune share: preparing the parts, running the loop into a run folder, and the conclusion."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import nn

from dlcli.checkpoint import Checkpoint, OptimizerState, load_optimizer, optimizer_state, pack
from dlcli.classifier import Classifier
from dlcli.commands.adversary import monitor_of, objective_of
from dlcli.commands.console import Bar, Talk
from dlcli.commands.judging import Judge, val_judge
from dlcli.commands.models import load_weights
from dlcli.commands.signals import StopFlag
from dlcli.commands.watching import log_watched
from dlcli.config.build import build
from dlcli.config.schema import SPLITS, FitSettings
from dlcli.contracts import DataBundle, Predictions
from dlcli.engine.device import check_precision, memory_errors, place
from dlcli.engine.fit import fit
from dlcli.engine.reports import EpochReport, NonFiniteError, SaveDue, StepReport
from dlcli.engine.state import ROBUST, Parts, Plan, Progress
from dlcli.engine.watch import Watch
from dlcli.errors import DataError, DlcliError, Interrupted, UsageError
from dlcli.metrics.accuracy import accuracy
from dlcli.metrics.calibration import negative_log_likelihood
from dlcli.optim.averaging import WeightAverage
from dlcli.optim.groups import apply_rates, parameter_groups
from dlcli.runs.run import Run


@dataclass(frozen=True)
class Job:
    """A fit that is ready to run: its parts and plan, the data, and the node that rebuilds the network.

    Args:
        calibration: what is known of the model's probabilities before it is trained, from cross-validation.
        held_out: val holds examples that are not trained on.
        judge: of robust accuracy on val, where the objective is one against an attack.
        robust_limit: how many examples of a split are attacked to measure robust accuracy.
        begin: what is done before the first step, and not again by a fit that goes on.
        start: what the weights before the first step are called.
    """

    parts: Parts
    plan: Plan
    bundle: DataBundle
    node: Mapping[str, Any]
    calibration: Mapping[str, float] = field(default_factory=dict)
    held_out: bool = True
    judge: Judge | None = None
    robust_limit: int = 1000
    begin: Callable[[Talk, StopFlag], None] | None = None
    start: str = "the start"

    @property
    def model(self) -> Classifier:
        assert isinstance(self.parts.model, Classifier)
        return self.parts.model

    @property
    def total_steps(self) -> int:
        return self.plan.epochs * self.plan.steps_per_epoch(len(self.parts.train))


def prepare(
    settings: FitSettings,
    model: Classifier,
    bundle: DataBundle,
    *,
    node: Mapping[str, Any],
    device: torch.device,
    talk: Talk,
    rates: Mapping[str, float] | None = None,
) -> Job:
    """Returns a fit of ``model`` on ``bundle``.

    Args:
        rates: parameter name → its share of the learning rate; see :func:`~dlcli.optim.groups.parameter_groups`.

    Raises:
        ConfigError, UsageError: settings that do not go together, or not with these data.
    """
    plan = _plan_for(settings, model, bundle, device=device, talk=talk)
    trainer = settings.trainer
    held_out = bundle.val is not None and settings.overfit is None
    placed = {name: part and part.to(device) for name in SPLITS for part in [getattr(bundle, name)]}
    bundle = replace(bundle, **placed)
    place(model, device)
    counts = torch.bincount(bundle.train.targets.cpu(), minlength=len(bundle.spec.classes))
    loss = build("loss", settings.loss, spec=bundle.spec, class_counts=counts, reduction="mean").to(device)
    steps = plan.epochs * plan.steps_per_epoch(len(bundle.train))
    optimizer = build("optimizer", settings.optimizer, params=parameter_groups(model, rates))
    apply_rates(optimizer.param_groups)
    objective = objective_of(settings, loss, bundle.spec, total_steps=steps)
    judge = val_judge(objective, bundle.val, plan, limit=trainer.robust_limit)
    plan = replace(plan, monitor=monitor_of(plan, objective), guard=None if judge is None else objective.guard)
    parts = Parts(
        model=model,
        forward=torch.compile(model) if trainer.compile else model,  # type: ignore[arg-type]
        train=bundle.train,
        val=bundle.val,
        augment=build("augment", settings.augment, spec=bundle.spec),
        objective=objective,
        optimizer=optimizer,
        schedule=build("scheduler", settings.scheduler, total_steps=steps),
        score=_score,
        device=device,
        average=WeightAverage(model, decay=trainer.ema) if trainer.ema is not None else None,
        observer=Watch(optimizer, every=plan.log_every) if trainer.watch else None,
        judge=None if judge is None else judge.on_val,
    )
    return Job(parts, plan, bundle, node, held_out=held_out, judge=judge, robust_limit=trainer.robust_limit)


def plan_of(settings: FitSettings) -> Plan:
    """Returns what the settings say of the loop."""
    names = {field.name for field in fields(Plan)} - {"seed", "score_start", "guard"}
    return Plan(seed=settings.seed, **{name: getattr(settings.trainer, name) for name in names})


def _plan_for(settings: FitSettings, model: Classifier, bundle: DataBundle, *, device: torch.device, talk: Talk) -> Plan:
    """The plan of a fit. Raises UsageError where settings do not go together, or not with these data."""
    trainer = settings.trainer
    warning = check_precision(trainer.precision, device)
    if warning:
        talk.warn(warning)
    plan = plan_of(settings)
    if settings.fast_dev_run:
        plan = replace(plan, epochs=1, save_every=None, log_every=1)
    if plan.accumulate > 1 and settings.loss.get("class_weights", "none") != "none":
        # A weighted mean divides by each pass's own weights, so the passes do not add up to the mean of the whole batch.
        reason = f"trainer.accumulate={plan.accumulate} with loss.class_weights would not be the loss of the whole batch"
        raise UsageError(reason, hint="trainer.accumulate=1, or loss.class_weights=none")
    if bundle.val is None:
        if plan.patience is not None:
            reason = f"trainer.patience={plan.patience}: {bundle.spec.name} has no validation data to wait for"
            raise UsageError(reason, hint="trainer.patience=null")
        plan = replace(plan, monitor="last")
    alone = plan.batch_size == 1 or len(bundle.train) == 1
    if alone and any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
        raise UsageError("BatchNorm cannot train on one example at a time", hint="--batch-size 2 or more, or model.norm=none")
    return plan


def run_fit(run: Run, job: Job, progress: Progress, *, talk: Talk, flag: StopFlag) -> float:
    """Runs the loop to its end, writing metrics and checkpoints; returns the seconds it took.

    Raises:
        Interrupted: after saving, where a signal or ``trainer.max_time`` ended it early.
        NonFiniteError: after writing ``nonfinite.json``.
    """
    started, first = time.perf_counter(), progress.step
    saved: dict[str, Any] | None = None
    if job.begin is not None and first == 0 and not progress.begun:
        job.begin(talk, flag)
        flag.check()
        progress.begun = True
    batch = job.plan.batch_size * job.plan.accumulate
    advice = f"trainer.batch_size={max(1, batch // 4)}" + (" trainer.accumulate=4" if batch >= 4 else "")
    what = f"training with batches of {job.plan.batch_size} {job.bundle.spec.name} examples ({job.plan.precision})"
    with talk.progress("steps", job.total_steps, done=first) as bar, memory_errors(what, advice):
        try:
            for report in fit(job.parts, job.plan, progress, stop=flag):
                speed = (progress.step - first) * batch / (time.perf_counter() - started)
                if isinstance(report, SaveDue):
                    _save(run, job, progress)
                    saved = progress.to_dict()
                    if report.reason is not None:
                        raise _stopped(run, report, job)
                else:
                    _tell(run, report, job, talk=talk, bar=bar, speed=speed)
        except NonFiniteError as error:
            run.write("nonfinite.json", (json.dumps(error.dump, indent=1) + "\n").encode())
            raise
    if saved != progress.to_dict():
        # Resumed behind the last step: the process before may have been killed between checkpoint and index.
        _save(run, job, progress)
    for line in _ending(job, progress):
        talk.line(line)
    return time.perf_counter() - started


def _ending(job: Job, progress: Progress) -> Iterator[str]:
    """What there is to say of a fit that ended: early, or with the weights that it began with."""
    plan = job.plan
    if progress.stopped_early and progress.step < job.total_steps:
        ended = f"ended after epoch {progress.epochs_closed} of {plan.epochs}"
        yield f"{ended}: {plan.monitor} was no better for as many epochs as trainer.patience={plan.patience} waits"
    if plan.score_start and progress.best_step == 0:
        yield f"no epoch was better than {job.start}: its weights are kept"


def restore(job: Job, checkpoint: Checkpoint, *, source: str) -> Progress:
    """Puts a checkpoint's state into the parts; returns where the fit stood. Raises DataError where the two do not fit."""
    load_weights(job.model, checkpoint.model, source=source)
    state = OptimizerState(checkpoint.optimizer or {}, checkpoint.optimizer_numbers)
    load_optimizer(job.parts.optimizer, state, source=source)
    if isinstance(job.parts.average, WeightAverage):
        job.parts.average.load(checkpoint.ema or {})
    progress = Progress.from_dict(checkpoint.progress)
    if not 0 <= progress.step <= job.total_steps:
        raise DataError(f"{source} is at step {progress.step}; expected 0 … {job.total_steps}")
    return progress


def snapshot(job: Job, progress: Progress, *, metrics_size: int = 0) -> Checkpoint:
    """Returns the state of a fit as a checkpoint; its tensors are not copies."""
    average, optimizer = job.parts.average, optimizer_state(job.parts.optimizer)
    return Checkpoint(
        model=job.model.state_dict(),
        ema=average.tensors() if average is not None else None,
        optimizer=optimizer.tensors,
        optimizer_numbers=optimizer.numbers,
        spec=job.bundle.spec,
        preprocessing=job.model.preprocessing,
        node=job.node,
        progress={**progress.to_dict(), "metrics_size": metrics_size},
        calibration=job.calibration,
        data_digest=job.bundle.digest,
    )


def metrics_size(checkpoint: Checkpoint, *, source: str) -> int:
    """Returns how long ``metrics.jsonl`` was when the checkpoint was made, in bytes. Raises DataError."""
    size = checkpoint.progress.get("metrics_size")
    if not isinstance(size, int):
        raise DataError(f"{source} says metrics_size={size!r}; expected a number of bytes")
    return size


def _save(run: Run, job: Job, progress: Progress) -> None:
    files = pack(snapshot(job, progress, metrics_size=run.metrics_size()))
    run.save_checkpoint(progress.step, files, best_step=progress.best_step)


def _stopped(run: Run, report: SaveDue, job: Job) -> DlcliError:
    where = f"saved at step {report.step} of {job.total_steps}"
    hint = f"dl {run.information['verb']} --resume {run.id}"
    if isinstance(report.reason, int):
        return Interrupted(f"stopped by a signal; {where}", signal_number=report.reason, hint=hint)
    why = f"stopped by trainer.max_time={job.plan.max_time:g} s; {where}"
    return Interrupted(why, signal_number=None, hint=f"{hint} trainer.max_time=null")


def _tell(run: Run, report: StepReport | EpochReport, job: Job, *, talk: Talk, bar: Bar, speed: float) -> None:
    line: dict[str, Any] = {"step": report.step, "epoch": report.epoch}
    clock = {"time": round(time.time(), 3)}
    if isinstance(report, StepReport):
        run.log({**line, "split": "train", "name": "loss", "value": report.loss, **clock})
        run.log({**line, "split": "train", "name": "lr", "value": report.learning_rate, **clock})
        log_watched(run, job.parts, {**line, **clock})
        epoch = f"epoch {report.epoch + 1}/{job.plan.epochs}"
        bar.at(report.step, f"{epoch} · loss {report.loss:.3f} · accuracy {100 * report.accuracy:.1f} % · {speed:,.0f}/s")
        return
    if report.fallen_from is not None:
        _tell_of_fall(report, report.fallen_from, job, talk)
    for key, value in report.metrics.items():
        split, name = key.split("/", 1)
        # The loss of the whole epoch has a name of its own beside the windows of StepReport.
        run.log({**line, "split": split, "name": f"epoch_{name}" if key == "train/loss" else name, "value": value, **clock})
    values = report.metrics
    if report.epoch < 0:
        talk.line(f"{job.start}, before any epoch · {_validation(values)}its weights are kept unless an epoch is better")
        return
    talk.line(
        f"epoch {report.epoch + 1}/{job.plan.epochs} · "
        f"train loss {values['train/loss']:.4f} accuracy {100 * values['train/accuracy']:.2f} % · "
        f"{_validation(values)}{speed:,.0f} examples/s{' · best' if report.best and job.plan.monitor != 'last' else ''}"
    )
    bar.at(report.step)


def _tell_of_fall(report: EpochReport, before: float, job: Job, talk: Talk) -> None:
    now = report.metrics[ROBUST]
    words = (
        f"robust accuracy on val fell from {100 * before:.1f} % to {100 * now:.1f} %, by more than the guard of "
        f"{100 * (job.plan.guard or 0):g} points: catastrophic overfitting; training ends after epoch {report.epoch + 1}, "
        f"and the best weights before it are kept"
    )
    talk.warn(words)


def _validation(values: Mapping[str, float]) -> str:
    if "val/loss" not in values:
        return ""
    robust = f"robust {100 * values[ROBUST]:.2f} % · " if ROBUST in values else ""
    return f"val loss {values['val/loss']:.4f} accuracy {100 * values['val/accuracy']:.2f} % · {robust}"


def _score(predictions: Predictions) -> dict[str, float]:
    return {"val/loss": negative_log_likelihood(predictions).value, "val/accuracy": accuracy(predictions).value}
