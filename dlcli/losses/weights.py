"""How much each class counts in a loss, from a word, a list, or the training data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def class_weight_tensor(class_weights: str | Sequence[float], class_counts: Tensor | None, *, key: str) -> Tensor | None:
    """Returns the weight of each class, float32 (P,), or None where all count the same.

    Args:
        class_weights: "none", "balanced" (N / (P · n_c), as in scikit-learn: every class weighs the same in total, and the mean
            weight of a training example is 1), or one positive number per class.
        class_counts: training examples per class, int64 (P,).
        key: the name of the hyper-parameter, for messages.

    Raises:
        ValueError: another word, a number that is not positive and finite, another number of numbers than classes, or
            "balanced" without counts or with a class that has no training example.
    """
    if isinstance(class_weights, str):
        if class_weights == "none":
            return None
        if class_weights == "balanced":
            counts = _counts(class_counts, key=key)
            return (counts.sum() / (len(counts) * counts)).float()
        raise ValueError(f"{key} must be 'none', 'balanced' or a list of numbers, got {class_weights!r}")
    weights = [float(weight) for weight in class_weights]
    if not weights or not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise ValueError(f"{key} must be positive and finite, got {weights}")
    if class_counts is not None and len(weights) != len(class_counts):
        raise ValueError(f"{key} must have one number per class, {len(class_counts)}, got {len(weights)}")
    return torch.tensor(weights)


def positive_weight_tensor(pos_weight: str | float, class_counts: Tensor | None) -> Tensor | None:
    """Returns how much a "yes" counts beside a "no", float32: (1,) for a number, (P,) for "balanced", None for "none".

    Args:
        pos_weight: "none", "balanced" ((N - n_c) / n_c: each class as a whole weighs as much as the rest), or a positive number.
        class_counts: training examples per class, int64 (P,).

    Raises:
        ValueError: as for :func:`class_weight_tensor`.
    """
    if isinstance(pos_weight, str):
        if pos_weight == "none":
            return None
        if pos_weight == "balanced":
            counts = _counts(class_counts, key="pos_weight")
            return ((counts.sum() - counts) / counts).float()
        raise ValueError(f"pos_weight must be 'none', 'balanced' or a number, got {pos_weight!r}")
    if not (math.isfinite(pos_weight) and pos_weight > 0):
        raise ValueError(f"pos_weight must be positive and finite, got {pos_weight}")
    return torch.tensor([float(pos_weight)])


def reduced(each: Tensor, targets: Tensor, *, weight: Tensor | None, reduction: str) -> Tensor:
    """Returns each example's loss times the weight of its class, or with reduction "mean" their mean.

    As in ``torch.nn.CrossEntropyLoss``, the mean is divided by the sum of the examples' weights for class numbers, and by the
    number of examples for soft targets. There an example weighs the mean of its classes, by its shares.

    Args:
        each: one loss per example, (N,).
        targets: class numbers int64 (N,) or soft targets (N, P).
        weight: of each class, (P,), or None where all count the same.
    """
    if weight is None:
        return each.mean() if reduction == "mean" else each
    weights = weight[targets] if targets.ndim == 1 else (targets * weight).sum(dim=1)
    if reduction == "none":
        return each * weights
    return (each * weights).sum() / (weights.sum() if targets.ndim == 1 else len(weights))


def _counts(class_counts: Tensor | None, *, key: str) -> Tensor:
    """Returns the counts as float64. Raises ValueError where there are none, or one of them is zero."""
    if class_counts is None:
        raise ValueError(f"{key} 'balanced' needs class_counts")
    if bool((class_counts <= 0).any()):
        raise ValueError(f"{key} 'balanced' needs a training example of every class, got counts {class_counts.tolist()}")
    return class_counts.double()
