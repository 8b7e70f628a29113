"""Figures in words: what a metric is called, whether it is a share, and how it is written with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Entry = Mapping[str, Any]

LABELS: Mapping[str, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "top3_accuracy": "top-3 accuracy",
    "top5_accuracy": "top-5 accuracy",
    "macro_f1": "macro F1",
    "auroc": "area under the ROC curve",
    "average_precision": "average precision",
    "nll": "negative log-likelihood (nats)",
    "brier": "Brier score",
    "ece": "calibration error (ECE, bins of equal width)",
    "adaptive_ece": "calibration error, bins of equal counts",
    "ece_if_calibrated": "ECE of a calibrated model, by chance",
    "clean_accuracy": "clean accuracy",
    "noise_accuracy": "accuracy under random noise of the same size",
    "robust_accuracy": "robust accuracy",
    "success_rate": "success among the correctly classified",
    "mean_distance": "mean size of the changes that succeed",
    "forwards": "forward passes of one example",
    "backwards": "backward passes of one example",
    "empty_maps": "maps that are all zero",
    "insertion_auc": "insertion (area under the curve)",
    "deletion_auc": "deletion (area under the curve)",
    "supported": "maps that the evidence supports",
    "false_trust_rate": "the same of the network without training",
    "base_rate": "base rate",
    "selection_rate": "selected",
    "tpr": "true positive rate",
    "fpr": "false positive rate",
    "calibration_gap": "calibration gap",
    "dp_difference": "demographic-parity difference",
    "dp_ratio": "demographic-parity ratio",
    "tpr_difference": "difference in true positive rate",
    "fpr_difference": "difference in false positive rate",
    "accuracy_difference": "difference in accuracy",
    "equalized_odds_difference": "equalized-odds difference",
    "auroc_gap": "gap in area under the ROC curve",
    "gain": "gain in accuracy over training from scratch",
}
_SHARES = ("accuracy", "precision", "recall", "f1", "selected", "rate", "tpr", "fpr", "empty_maps", "supported")
_COUNTS = ("forwards", "backwards", "queries")


def label(name: str) -> str:
    """Returns what a metric is called, from the last part of its name; unknown ones are named by themselves."""
    *rest, last = name.split("/")
    numbers: list[str] = []
    while last.isdecimal() and rest:
        numbers.append(last)
        last = rest.pop()
    return LABELS.get(last, last.replace("_", " ")) + "".join(f", class {number}" for number in reversed(numbers))


def is_share(name: str) -> bool:
    """Whether a metric is written in percent."""
    if name.endswith(("_difference", "_ratio", "_gap")):  # between shares: 0.1 is ten percentage points
        return False
    words = name.replace("/", "_").split("_")
    return any(word in _SHARES for word in words) or name in _SHARES or name.endswith("empty_maps")


def value_of(metrics: Mapping[str, Entry], name: str) -> float | None:
    """Returns a metric's finite value, or None."""
    entry = metrics.get(name)
    return number(entry.get("value")) if isinstance(entry, Mapping) else None


def number(value: Any) -> float | None:
    """Returns a finite number as a float, anything else as None, also a whole number that is too large for one."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def written(name: str, value: Any) -> str:
    """Returns ``99.41 %`` for shares, ``0.0123`` for others, ``18 730`` for counts, – for what is no number."""
    found = number(value)
    if found is None:
        return "–"
    if name.rpartition("/")[2] in _COUNTS:
        return count(found)
    return f"{100 * found:.2f} %" if is_share(name) else f"{found:.4g}" if abs(found) >= 10 else f"{found:.4f}"


def bounds(name: str, entry: Entry) -> str:
    """Returns ``99.24 … 99.54 %``, or an empty text where no interval is known."""
    low, high = number(entry.get("low")), number(entry.get("high"))
    if low is None or high is None:
        return ""
    return f"{written(name, low).removesuffix(' %')} … {written(name, high)}"


def figure(name: str, entry: Any) -> str:
    """Returns a value with its interval in one text: ``99.41 % [99.24 … 99.54 %]``."""
    if not isinstance(entry, Mapping):
        return "–"
    interval = bounds(name, entry)
    return written(name, entry.get("value")) + (f" [{interval}]" if interval else "")


def count(value: Any) -> str:
    """Returns a whole number with spaces between the thousands, or – for what is none."""
    found = number(value)
    return "–" if found is None else f"{round(found):,}".replace(",", " ")


def sample_size(entry: Any) -> str:
    """Returns the number of examples that a figure rests on; empty where it is not known."""
    found = number(entry.get("n")) if isinstance(entry, Mapping) else None
    return "" if found is None else count(found)
