"""All numbers about one split's predictions, by the names that ``result.json`` uses."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dlcli.classifier import class_logits
from dlcli.contracts import Metric, Predictions
from dlcli.errors import ComputeError
from dlcli.metrics.accuracy import ClassScores, accuracy, confusion_matrix, per_class, top_k_accuracy
from dlcli.metrics.calibration import brier_score, expected_calibration_error, negative_log_likelihood
from dlcli.metrics.intervals import wilson
from dlcli.metrics.ranking import auroc, average_precision


def classification_metrics(predictions: Predictions, spec_classes: Sequence[str], *, split: str) -> dict[str, Metric]:
    """Returns every classification metric of ``predictions``, keyed ``split/name`` and, per class, ``split/name/number``.

    ``balanced_accuracy`` is the mean recall over the classes that have examples and ``macro_f1`` the mean F1 over the
    classes that are present or predicted, both as in scikit-learn. ``top3_accuracy`` and ``top5_accuracy`` are left out
    where they would be 1 by definition; ``auroc`` and ``average_precision`` are there for two classes.

    Args:
        spec_classes: the P class names; only their number matters here.
        split: "train", "val" or "test".

    Raises:
        ValueError: the logits do not have P classes.
        ComputeError: a logit is NaN, so that no class is predicted.
    """
    classes = class_logits(predictions.logits).shape[1]
    if classes != len(spec_classes):
        raise ValueError(f"expected logits for {len(spec_classes)} classes, got {classes}")
    broken = int(predictions.logits.isnan().any(dim=1).sum())
    if broken:
        raise ComputeError(f"the model gives NaN for {broken} of {len(predictions.targets)} {split} examples; expected numbers")
    confusion = confusion_matrix(predictions, classes)
    scores = per_class(confusion)
    n = len(predictions.targets)
    metrics = {
        "accuracy": accuracy(predictions),
        "balanced_accuracy": Metric(float(scores.recall.nanmean()), n=n),
        **{f"top{k}_accuracy": top_k_accuracy(predictions, k) for k in (3, 5) if k < classes},
        "macro_f1": Metric(float(scores.f1.nanmean()), n=n),
        "nll": negative_log_likelihood(predictions),
        "brier": brier_score(predictions),
        "ece": expected_calibration_error(predictions),
        **({"auroc": auroc(predictions), "average_precision": average_precision(predictions)} if classes == 2 else {}),
        **_class_metrics(confusion, scores),
    }
    return {f"{split}/{name}": metric for name, metric in metrics.items()}


def _class_metrics(confusion: Tensor, scores: ClassScores) -> dict[str, Metric]:
    """Precision rests on the examples predicted as the class, recall and F1 on those of the class."""
    right, present, predicted = confusion.diagonal().tolist(), confusion.sum(dim=1).tolist(), confusion.sum(dim=0).tolist()
    metrics: dict[str, Metric] = {}
    for number, f1 in enumerate(scores.f1.tolist()):
        metrics[f"precision/{number}"] = wilson(right[number], predicted[number])
        metrics[f"recall/{number}"] = wilson(right[number], present[number])
        metrics[f"f1/{number}"] = Metric(f1, n=present[number])
    return metrics
