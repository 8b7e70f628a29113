"""All numbers about one split's predictions, by the names that ``result.json`` uses."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dlcli.classifier import class_logits
from dlcli.contracts import Metric, Predictions
from dlcli.errors import ComputeError
from dlcli.metrics.accuracy import accuracy, confusion_matrix, top_k_accuracy
from dlcli.metrics.bootstrap import balanced_accuracy_and_f1
from dlcli.metrics.calibration import (
    adaptive_calibration_error,
    brier_score,
    error_if_calibrated,
    expected_calibration_error,
    negative_log_likelihood,
)
from dlcli.metrics.intervals import wilson
from dlcli.metrics.one_vs_rest import macro_auroc, macro_average_precision
from dlcli.metrics.ranking import auroc, average_precision

_MOST_RANKED = 10_000_000


def classification_metrics(predictions: Predictions, spec_classes: Sequence[str], *, split: str) -> dict[str, Metric]:
    """Returns every classification metric of ``predictions``, keyed ``split/name`` and, per class, ``split/name/number``.

    ``balanced_accuracy`` is the mean recall over the classes that have examples and ``macro_f1`` the mean F1 over the
    classes that are present or predicted, both as in scikit-learn; they and each F1 have bootstrap intervals.
    ``top3_accuracy`` and ``top5_accuracy`` are left out where they would be 1 by definition. ``auroc`` and
    ``average_precision`` are those of the second of two classes, else means over the classes, each against the rest; they
    are left out above ten million scores, where sorting each class's would take longer than the model.

    Args:
        spec_classes: the P class names; only their number matters here.
        split: "train", "val" or "test".

    Raises:
        ValueError: the logits do not have P classes.
        ComputeError: a logit is NaN or infinite.
    """
    classes = class_logits(predictions.logits).shape[1]
    if classes != len(spec_classes):
        raise ValueError(f"expected logits for {len(spec_classes)} classes, got {classes}")
    broken = int((~predictions.logits.isfinite()).any(dim=1).sum())
    if broken:
        raise ComputeError(
            f"the model gives NaN or infinity for {broken} of {len(predictions.targets)} {split} examples; expected numbers"
        )
    confusion = confusion_matrix(predictions, classes)
    resampled = balanced_accuracy_and_f1(confusion)
    metrics = {
        "accuracy": accuracy(predictions),
        "balanced_accuracy": resampled.pop("balanced_accuracy"),
        **{f"top{k}_accuracy": top_k_accuracy(predictions, k) for k in (3, 5) if k < classes},
        "macro_f1": resampled.pop("macro_f1"),
        "nll": negative_log_likelihood(predictions),
        "brier": brier_score(predictions),
        "ece": expected_calibration_error(predictions),
        "adaptive_ece": adaptive_calibration_error(predictions),
        "ece_if_calibrated": error_if_calibrated(predictions),
        **_ranking(predictions, classes),
        **_class_metrics(confusion),
        **resampled,
    }
    return {f"{split}/{name}": metric for name, metric in metrics.items()}


def _ranking(predictions: Predictions, classes: int) -> dict[str, Metric]:
    if classes == 2:
        return {"auroc": auroc(predictions), "average_precision": average_precision(predictions)}
    if predictions.logits.numel() > _MOST_RANKED:
        return {}
    return {"auroc": macro_auroc(predictions), "average_precision": macro_average_precision(predictions)}


def _class_metrics(confusion: Tensor) -> dict[str, Metric]:
    """Precision rests on the examples predicted as the class, recall on those of the class."""
    right, present, predicted = confusion.diagonal().tolist(), confusion.sum(dim=1).tolist(), confusion.sum(dim=0).tolist()
    metrics: dict[str, Metric] = {}
    for number in range(len(confusion)):
        metrics[f"precision/{number}"] = wilson(right[number], predicted[number])
        metrics[f"recall/{number}"] = wilson(right[number], present[number])
    return metrics
