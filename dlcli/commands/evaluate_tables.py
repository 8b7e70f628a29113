"""The tables that ``dl evaluate`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dlcli.contracts import Metric
from dlcli.report.numbers import LABELS
from dlcli.report.text import safe

if TYPE_CHECKING:
    from rich.table import Table

_SUMMARY = (
    "accuracy",
    "balanced_accuracy",
    "top3_accuracy",
    "top5_accuracy",
    "macro_f1",
    "auroc",
    "average_precision",
    "nll",
    "brier",
    "ece",
    "adaptive_ece",
)
_THRESHOLDS = {
    "half": "0.5",
    "balanced_accuracy": "best balanced accuracy",
    "f1": "best F1",
    "top_5": "5 % capacity",
    "top_10": "10 % capacity",
    "top_20": "20 % capacity",
}


def summary_table(title: str, metrics: Mapping[str, Metric], *, split: str) -> Table:
    """Returns the scores over all classes with their intervals, and beside them those of calibrated probabilities, if any."""
    temperature = metrics.get("calibration/temperature")
    table = _table("metric", "value", "95 % interval", title=title)
    if temperature is not None:
        table.add_column(f"calibrated (T = {temperature.value:.2f})", justify="right")
    for name in _SUMMARY:
        metric = metrics.get(f"{split}/{name}")
        if metric is None or metric.value != metric.value:
            continue
        cells = [LABELS[name], _value(metric), bounds(metric)]
        if temperature is not None:
            scaled = metrics.get(f"{split}/calibrated/{name}")
            cells.append("" if scaled is None else _value(scaled) + (f" [{bounds(scaled)}]" if bounds(scaled) else ""))
        table.add_row(*cells)
    expected = metrics.get(f"{split}/ece_if_calibrated")
    if expected is not None and expected.high is not None:
        words = f"{expected.value:.4f}, below {expected.high:.4f} in 97.5 of 100 samples"
        table.caption = f"a perfectly calibrated model of this size would show an ECE of {words}"
        table.caption_justify = "left"
    return table


def class_table(classes: tuple[str, ...], metrics: Mapping[str, Metric], *, split: str) -> Table:
    """Returns precision, recall with its interval, F1 and the number of examples of each class."""
    table = _table("class", "precision", "recall", "recall 95 %", "F1", "n")
    for number, label in enumerate(classes):
        precision, recall, f1 = (metrics[f"{split}/{name}/{number}"] for name in ("precision", "recall", "f1"))
        table.add_row(safe(label), share(precision), share(recall), bounds(recall), share(f1), str(recall.n))
    return table


def decision_table(positive: str, metrics: Mapping[str, Metric], *, split: str) -> Table:
    """Returns what answering ``positive`` from each threshold on comes to."""
    title = f"answering {positive} from a probability on that val chose"
    table = _table("chosen for", "from", "selected", "precision", "precision 95 %", "recall", "recall 95 %", title=title)
    for name, words in _THRESHOLDS.items():
        if (at := metrics.get(f"{split}/threshold/{name}/at")) is None:
            continue
        selected, precision, recall = (
            metrics[f"{split}/threshold/{name}/{part}"] for part in ("selected", "precision", "recall")
        )
        row = (share(selected), share(precision), bounds(precision), share(recall), bounds(recall))
        table.add_row(words, f"{100 * at.value:.1f} %", *row)
    return table


def robust_table(name: str, classes: tuple[str, ...], metrics: Mapping[str, Metric], *, split: str) -> Table:
    """Returns clean and robust scores side by side, over all and by class."""
    table = _table("", "clean", "95 %", name, "95 %", title=f"clean and under {name}, in percent")
    pairs = {
        "accuracy": (f"{split}/accuracy", "attack/robust_accuracy"),
        "under noise of the same size": (f"{split}/accuracy", "attack/noise_accuracy"),
        "balanced accuracy": (f"{split}/balanced_accuracy", "attack/robust_balanced_accuracy"),
        "macro F1": (f"{split}/macro_f1", "attack/robust_macro_f1"),
    }
    recalls = {
        f"recall of {label}": (f"{split}/recall/{number}", f"attack/robust_recall/{number}")
        for number, label in enumerate(classes)
    }
    for words, (clean, robust) in {**pairs, **recalls}.items():
        before, after = metrics[clean], metrics[robust]
        table.add_row(safe(words), share(before), bounds(before), share(after), bounds(after))
    return table


def share(metric: Metric) -> str:
    """Returns a share in percent; a dash where it is not defined."""
    return "–" if metric.value != metric.value else f"{100 * metric.value:.2f}"


def bounds(metric: Metric) -> str:
    """Returns a metric's interval in the unit that it is shown in; empty where it has none."""
    if metric.low is None or metric.high is None:
        return ""
    if metric.method == "wilson" or _is_share(metric):
        return f"{100 * metric.low:.2f} … {100 * metric.high:.2f}"
    return f"{metric.low:.4f} … {metric.high:.4f}"


def _is_share(metric: Metric) -> bool:
    return (metric.method or "").startswith("bootstrap")


def _value(metric: Metric) -> str:
    return f"{share(metric)} %" if metric.method == "wilson" or _is_share(metric) else f"{metric.value:.4f}"


def _table(*columns: str, title: str | None = None) -> Table:
    from rich.table import Table

    table = Table(title=None if title is None else safe(title), title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(safe(column), justify="right" if number else "left")
    return table
