"""What a network on a table must beat: the class shares, and logistic regression."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from dlcli.contracts import DataSpec
from dlcli.errors import did_you_mean

BASELINES = ("majority", "logistic_regression")
_SMALLEST = 1e-12  # the probability of a class that train lacks
# A fit on more cells than this (rows · columns · classes) stops after 30 steps: on HOG features of MNIST 4 s and 97.6 % on
# one core, as after 100 steps and 15 s.
_MANY_CELLS = 50_000_000
_STEPS, _FEW_STEPS = 5000, 30


def baseline_logits(name: str, train_inputs: Tensor, train_targets: Tensor, inputs: Tensor, spec: DataSpec) -> Tensor:
    """Fits a baseline on train and returns its log-probabilities for ``inputs``, float32 (N, P), which serve as logits.

    Args:
        name: ``majority``, the class shares of train for every row; or ``logistic_regression``, scikit-learn's with its default
            penalty (L2, C = 1): categories one-hot with unknown and missing ones all zero, missing numbers replaced by the median
            of train, numbers standardised.
        train_inputs, inputs: raw tables (M, D) and (N, D), missing NaN.
        train_targets: class numbers, int64 (M,).
        spec: of the table; its columns say which are categories.

    Raises:
        ValueError: there is no baseline of that name.
    """
    if name not in BASELINES:
        raise ValueError(f"name must be one of {', '.join(BASELINES)}, got '{name}'{did_you_mean(name, BASELINES)}")
    classes = len(spec.classes)
    shares = train_targets.bincount(minlength=classes).double() / max(len(train_targets), 1)
    if name == "majority" or int((shares > 0).sum()) < 2:
        chances = shares.expand(len(inputs), classes)
    else:
        chances = _logistic_regression(train_inputs, train_targets, inputs, spec)
    return chances.clamp_min(_SMALLEST).log().float()


def _logistic_regression(train_inputs: Tensor, train_targets: Tensor, inputs: Tensor, spec: DataSpec) -> Tensor:
    """Probabilities float64 (N, P); 0 for classes that train lacks."""
    # Loads scipy as well (about a second): only who compares pays.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    train, other = _design(train_inputs, train_inputs, spec), _design(train_inputs, inputs, spec)
    steps = _FEW_STEPS if train.numel() * len(spec.classes) > _MANY_CELLS else _STEPS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=1.0, max_iter=steps).fit(train.numpy(), train_targets.numpy())
    chances = torch.zeros(len(inputs), len(spec.classes), dtype=torch.float64)
    if len(inputs):
        chances[:, torch.from_numpy(model.classes_)] = torch.from_numpy(model.predict_proba(other.numpy())).double()
    return chances


def _median(values: Any) -> Any:
    """The median of each column, 0 where all are missing; torch's takes the lower of two."""
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without a value
        return np.nan_to_num(np.nanmedian(values, axis=0))


def _design(train: Tensor, inputs: Tensor, spec: DataSpec) -> Tensor:
    """What the regression reads, float64: numbers imputed and standardised as train says, then categories one-hot."""
    text = torch.tensor([bool(column.categories) for column in spec.columns] or [False] * inputs.shape[1])
    known, numbers = train[:, ~text].double(), inputs[:, ~text].double()
    median = torch.from_numpy(_median(known.numpy()))
    known, numbers = torch.where(known.isnan(), median, known), torch.where(numbers.isnan(), median, numbers)
    parts = []
    if known.shape[1]:
        spread = known.std(dim=0, correction=0)
        parts.append((numbers - known.mean(dim=0)) / torch.where(spread > 0, spread, 1.0))
    for place, column in enumerate(spec.columns):
        if column.categories:
            codes = torch.arange(1, len(column.categories) + 1)
            parts.append((inputs[:, place, None] == codes).double())
    return torch.cat(parts, dim=1)
