"""``dl evaluate``: what a trained model is worth on a split it has not seen."""

from __future__ import annotations

import time

from rich.console import RenderableType

from dlcli.commands.conclude import show_predictions
from dlcli.commands.console import Talk, metrics_table
from dlcli.commands.session import finished, recorded
from dlcli.commands.signals import catching_signals
from dlcli.commands.subject import load_subject
from dlcli.config.schema import EvaluateSettings, Invocation
from dlcli.config.stored import as_yaml
from dlcli.contracts import Metric
from dlcli.engine.device import memory_errors
from dlcli.engine.evaluate import evaluate as evaluate_split
from dlcli.engine.evaluate import joined
from dlcli.metrics.accuracy import confusion_matrix
from dlcli.metrics.calibration import reliability
from dlcli.metrics.summary import classification_metrics
from dlcli.report import plots, terminal
from dlcli.report.text import safe
from dlcli.runs.record import Result

_LABELS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "top3_accuracy": "top-3 accuracy",
    "top5_accuracy": "top-5 accuracy",
    "macro_f1": "macro F1",
    "nll": "negative log-likelihood (nats)",
    "auroc": "area under the ROC curve",
    "average_precision": "average precision",
    "brier": "Brier score",
    "ece": "calibration error (ECE, 15 bins)",
    "adaptive_ece": "calibration error, bins of equal counts",
}


def evaluate(settings: EvaluateSettings, invocation: Invocation) -> Result | None:
    """Measures a model; returns the result, or None for ``--dry-run``."""
    talk = Talk.of(invocation)
    started = time.perf_counter()
    with catching_signals() as flag:
        subject = load_subject(settings, talk)
        if invocation.dry_run:
            talk.text(as_yaml(settings).decode())
            talk.line(f"{len(subject.split)} forward passes; nothing was written")
            return None
        loaded, classes, split = subject.loaded, subject.loaded.model.spec.classes, settings.split
        with recorded(settings, invocation, name=loaded.name, parent=loaded.reference, device=subject.device) as run:
            what, advice = (
                f"evaluating {settings.batch_size} examples at once",
                f"--batch-size {max(1, settings.batch_size // 4)}",
            )
            with memory_errors(what, advice):
                predictions = joined(
                    evaluate_split(loaded.model, subject.split, batch_size=settings.batch_size, check=flag.check)
                )
            metrics = classification_metrics(predictions, classes, split=split)
            confusion = confusion_matrix(predictions, len(classes))
            files = {
                "confusion": run.write("plots/confusion.png", plots.confusion_plot(confusion, classes)),
                "reliability": run.write("plots/reliability.png", plots.reliability_plot(reliability(predictions))),
            }
            result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=metrics, files=files)
            title = f"{loaded.name} on {split} (n = {len(predictions.targets)})"
            talk.show(metrics_table(title, metrics, {f"{split}/{name}": words for name, words in _LABELS.items()}))
            talk.show(_class_table(classes, metrics, split))
            talk.picture(terminal.confusion_picture(confusion, classes))
            if talk.shows_pictures:
                show_predictions(subject.split, predictions, classes, talk)
            talk.line(f"evaluate run: {run.path} · {result.seconds:.1f} s")
            if subject.loaded.model.spec.kind == "image":
                talk.next_commands(
                    ("dl attack fgsm", "how little must change to fool it"), ("dl explain gradcam", "where it looks")
                )
            return result


def _class_table(classes: tuple[str, ...], metrics: dict[str, Metric], split: str) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for name in ("precision", "recall", "recall 95 %", "F1", "n"):
        table.add_column(name, justify="right")
    for number, label in enumerate(classes):
        precision, recall, f1 = (metrics[f"{split}/{name}/{number}"] for name in ("precision", "recall", "f1"))
        bounds = "" if recall.low is None or recall.high is None else f"{100 * recall.low:.1f} … {100 * recall.high:.1f}"
        cells = (f"{100 * precision.value:.2f}", f"{100 * recall.value:.2f}", bounds, f"{100 * f1.value:.2f}", str(recall.n))
        table.add_row(safe(label), *cells)
    return table
