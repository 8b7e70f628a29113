"""The end of a fit: test figures of the best weights, pictures, the result and what to try next."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dlcli.checkpoint import pack, unpack
from dlcli.commands.baselines import baseline_metrics, comparison
from dlcli.commands.boundary import draw_boundary, is_plane
from dlcli.commands.console import Talk
from dlcli.commands.crossval import CrossValidation
from dlcli.commands.from_scratch import Verdict
from dlcli.commands.judging import TEST_STEPS, Judge
from dlcli.commands.lr_find import picture_of_range_test
from dlcli.commands.mistakes import show_predictions
from dlcli.commands.models import load_weights, newest_good
from dlcli.commands.session import finished
from dlcli.commands.signals import StopFlag
from dlcli.commands.training import Job, run_fit
from dlcli.commands.watching import show_watched
from dlcli.config.invocation import Invocation
from dlcli.contracts import DataBundle, Metric, Predictions, Split
from dlcli.engine.evaluate import evaluate, joined
from dlcli.engine.reports import NonFiniteError
from dlcli.engine.state import ROBUST, Progress
from dlcli.errors import DataError, StorageError
from dlcli.metrics.calibrated import fitted_calibration
from dlcli.metrics.intervals import wilson
from dlcli.metrics.summary import classification_metrics
from dlcli.report import plots, terminal
from dlcli.runs.record import Result
from dlcli.runs.run import Run, checkpoint_name, read_checkpoint


def fit_and_conclude(
    run: Run,
    job: Job,
    progress: Progress,
    *,
    invocation: Invocation,
    talk: Talk,
    flag: StopFlag,
    estimate: CrossValidation | None = None,
    compare: Callable[[Predictions], Verdict | None] | None = None,
) -> Result:
    """Trains to the end, tests the best weights, writes plots and ``result.json``, and says how it went.

    Data without a test part give ``train/accuracy`` alone, without an interval: it says nothing about other examples.
    What says it then is the ``estimate`` of the folds, if there were any.

    Args:
        compare: receives the predictions for test; its verdict is the last line.
    """
    started = time.perf_counter()
    try:
        training = run_fit(run, job, progress, talk=talk, flag=flag)
    except NonFiniteError:
        show_watched(run, read_metrics(run), talk)
        raise
    flag.check()
    test_started = time.perf_counter()
    _take_best(run, job, progress, talk=talk, flag=flag)
    split, shown = ("test", job.bundle.test) if job.bundle.test is not None else ("train", job.bundle.train)
    predictions = joined(evaluate(job.model, shown, batch_size=job.plan.eval_batch_size, check=flag.check))
    metrics = _figures(job, progress, predictions, split=split, estimate=estimate)
    metrics |= _robustness(run, job, talk, flag)
    verdict = None if compare is None or split != "test" else compare(predictions)
    if verdict is not None:
        metrics |= verdict.metrics
        run.describe(verdict=verdict.words)
    lines = read_metrics(run)
    drawing_started = time.perf_counter()
    files = {"curves": run.write("plots/curves.png", plots.training_curves(lines)), **picture_of_range_test(run)}
    files |= show_watched(run, lines, talk)
    if is_plane(job.bundle.spec):
        files["boundary"] = draw_boundary(run, job, talk)
    ended = time.perf_counter()
    result = finished(run, invocation, seconds=ended - started, metrics=metrics, files=files)
    headline = "cv" if estimate is not None else split
    figure = f"{terminal.interval(metrics[f'{headline}/accuracy'])} (n = {len(predictions.targets)})"
    tested = "test and from scratch" if verdict is not None else "test"
    parts = (
        f"{training:.1f} s training, {drawing_started - test_started:.1f} s {tested}, {ended - drawing_started:.1f} s pictures"
    )
    talk.line(f"{headline} accuracy {figure} · {parts}", style="bold")
    if f"{headline}/majority/accuracy" in metrics:
        talk.show(comparison(metrics, split=headline))
    _show(run, job, shown, predictions, lines=lines, talk=talk)
    if verdict is not None:
        talk.line(verdict.words, style="bold")
    return result


def _figures(
    job: Job, progress: Progress, predictions: Predictions, *, split: str, estimate: CrossValidation | None
) -> dict[str, Metric]:
    """What is known of the best weights, by the names of ``result.json``."""
    metrics = classification_metrics(predictions, job.bundle.spec.classes, split=split)
    if split == "train":
        metrics = {"train/accuracy": Metric(metrics["train/accuracy"].value, n=len(predictions.targets))}
    if estimate is not None:
        metrics = {**estimate.metrics, **metrics}
    if split == "test" and job.bundle.spec.kind == "table":
        metrics |= baseline_metrics(job.bundle, split=split)
    if progress.best_value is not None and job.bundle.val is not None:
        examples = len(job.bundle.val) if job.judge is None or job.plan.monitored != ROBUST else len(job.judge.split)
        is_share = job.plan.monitored in {"val/accuracy", ROBUST}
        hits = round(progress.best_value * examples)
        metrics[job.plan.monitored] = wilson(hits, examples) if is_share else Metric(progress.best_value, n=examples)
    return metrics


def _robustness(run: Run, job: Job, talk: Talk, flag: StopFlag) -> dict[str, Metric]:
    """Robust accuracy on test of a model that was trained against an attack, under a stronger one."""
    threat = job.parts.objective.threat
    if threat is None or job.bundle.test is None:
        return {}
    judge = Judge.of(
        threat,
        job.bundle.test,
        steps=TEST_STEPS,
        limit=job.robust_limit,
        batch_size=job.plan.eval_batch_size,
        seed=job.plan.seed,
    )
    metric = judge(job.model, flag.check)
    run.describe(robustness=judge.words())
    talk.line(f"test robust accuracy {terminal.interval(metric)} under {judge.words()}", style="bold")
    return {"test/robust_accuracy": metric}


def _show(run: Run, job: Job, shown: Split, predictions: Predictions, *, lines: list[dict[str, Any]], talk: Talk) -> None:
    if talk.shows_pictures:
        show_curve(lines, talk)
        show_predictions(shown, predictions, job.bundle.spec.classes, talk)
    talk.line(f"{run.information['verb']} run: {run.path}")
    if not run.information.get("fast_dev_run"):
        robust, goes_on = job.parts.objective.threat is not None, run.information.get("parent") is not None
        talk.next_commands(*_next(job.bundle, robust=robust, goes_on=goes_on))


def _next(bundle: DataBundle, *, robust: bool, goes_on: bool) -> list[tuple[str, str]]:
    """What to try next on a model; ``goes_on``: it was made from another one."""
    if robust:
        return [
            ("dl attack autoattack --limit 1000", "the robust accuracy that is left under stronger attacks"),
            ("dl explain compare explainer=saliency --against RUN", "its maps beside those of a model trained without attacks"),
        ]
    if bundle.spec.kind != "image":
        return [
            ("dl evaluate" if bundle.test is not None else "dl evaluate --split train", "per-class figures, calibration"),
            ("dl explain columns" if bundle.test is not None else "dl explain columns --split train", "what each column weighs"),
        ]
    return [
        ("dl evaluate", "per-class figures, calibration, confusion matrix"),
        ("dl attack fgsm", "how little must change to fool it"),
        ("dl explain compare", "where it looks, and where it looked before")
        if goes_on
        else ("dl explain gradcam", "where it looks"),
    ]


def read_metrics(run: Run) -> list[dict[str, Any]]:
    """Returns the lines of ``metrics.jsonl``; an unterminated last one is left out."""
    run.metrics_size()
    data = (run.path / "metrics.jsonl").read_bytes()
    return [json.loads(line) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


def show_curve(lines: list[dict[str, Any]], talk: Talk) -> None:
    """Draws the training loss over the steps in the terminal."""
    points = [(float(line["step"]), float(line["value"])) for line in lines if (line["split"], line["name"]) == ("train", "loss")]
    val = [(float(line["step"]), float(line["value"])) for line in lines if (line["split"], line["name"]) == ("val", "loss")]
    if points:
        talk.picture(terminal.curve({"train loss": points, "val loss": val}, width=min(talk.console.width, 72), x_label="step"))


def _take_best(run: Run, job: Job, progress: Progress, *, talk: Talk, flag: StopFlag) -> None:
    """Loads the best weights from disk, which later verbs will read, and keeps with them what val says of their probabilities."""
    name = checkpoint_name(progress.best_step if progress.best_step is not None else progress.step)
    try:
        checkpoint = unpack(read_checkpoint(run.path, name), source=f"{run.path}/checkpoints/{name}")
    except (DataError, StorageError) as error:
        talk.warn(f"the best checkpoint cannot be used: {error.message}; testing the newest instead")
        found = newest_good(run.path, talk)
        if found is None:
            raise
        checkpoint, name = found
    load_weights(job.model, checkpoint.weights, source=str(run.path))
    if job.bundle.val is not None and job.held_out:
        predictions = joined(evaluate(job.model, job.bundle.val, batch_size=job.plan.eval_batch_size, check=flag.check))
        calibration = fitted_calibration(predictions).to_dict()
        run.replace_checkpoint(name, pack(replace(checkpoint, calibration=calibration)))
