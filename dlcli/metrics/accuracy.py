"""How often the predicted class is the right one: overall, in the top k, and class by class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.classifier import class_logits, predicted_classes
from dlcli.contracts import Metric, Predictions
from dlcli.metrics.intervals import wilson


@dataclass(frozen=True)
class ClassScores:
    """Scores per class, float64 (P,), or (…, P) for many confusion matrices; NaN where the score is 0/0.

    Args:
        precision: share of right ones among those predicted as the class; NaN for a class never predicted.
        recall: share found among those of the class; NaN for a class without examples.
        f1: 2·TP / (2·TP + FP + FN); NaN only for a class neither present nor predicted.
    """

    precision: Tensor
    recall: Tensor
    f1: Tensor


def accuracy(predictions: Predictions) -> Metric:
    """Returns the share of examples whose predicted class is the target, with Wilson's interval."""
    hits = predicted_classes(predictions.logits) == predictions.targets
    return wilson(int(hits.sum()), len(hits))


def top_k_accuracy(predictions: Predictions, k: int) -> Metric:
    """Returns the share of examples whose target is among the ``k`` largest logits, with Wilson's interval.

    Equal logits rank by class number, as argmax does, so k = 1 is :func:`accuracy` and a constant model gains nothing.

    Raises:
        ValueError: unless 1 <= k <= P.
    """
    logits = class_logits(predictions.logits)
    classes = logits.shape[1]
    if not 1 <= k <= classes:
        raise ValueError(f"k must lie in [1, {classes}], got {k}")
    targets = predictions.targets[:, None]
    own = logits.gather(1, targets)
    tie_before = (logits == own) & (torch.arange(classes) < targets)
    rank = ((logits > own) | tie_before).sum(dim=1)
    return wilson(int((rank < k).sum()), len(rank))


def confusion_matrix(predictions: Predictions, classes: int) -> Tensor:
    """Returns counts, int64 (P, P): row = true class, column = predicted class.

    Args:
        classes: P, the number of classes.

    Raises:
        ValueError: a target or a prediction is no class number below ``classes``.
    """
    return confusion_counts(predicted_classes(predictions.logits), predictions.targets, classes)


def confusion_counts(predicted: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Returns the same of class numbers, int64 (N,) each. Raises ValueError likewise."""
    for name, numbers in (("target", targets), ("prediction", predicted)):
        if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < classes:
            raise ValueError(f"every {name} must lie in [0, {classes}), got {int(numbers.min())} to {int(numbers.max())}")
    return torch.bincount(targets * classes + predicted, minlength=classes**2).reshape(classes, classes)


def per_class(confusion: Tensor) -> ClassScores:
    """Returns precision, recall and F1 of each class of a confusion matrix (P, P), rows = truth."""
    counts = confusion.double()
    return class_scores(right=counts.diagonal(), present=counts.sum(dim=1), predicted=counts.sum(dim=0))


def class_scores(*, right: Tensor, present: Tensor, predicted: Tensor) -> ClassScores:
    """Returns the scores of counts, float64 (…, P) each: examples of the class found, of the class, and predicted as it."""
    return ClassScores(precision=right / predicted, recall=right / present, f1=2 * right / (present + predicted))
