"""How well a linear model tells classes from features: what a layer knows, as a number."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from dlcli.contracts import Metric
from dlcli.metrics.intervals import wilson

_STEPS = 300


def linear_probe(features: Tensor, targets: Tensor, *, fitted: int) -> Metric:
    """Returns the accuracy, with Wilson's interval, of logistic regression on examples that it was not fitted to.

    Scikit-learn's, with its default L2 penalty, on features standardised by those of the fitted examples. Source: Alain and
    Bengio 2016, "Understanding intermediate layers using linear classifier probes".

    Args:
        features: (N, D).
        targets: class numbers, int64 (N,).
        fitted: the first so many rows are fitted to, the others judged.

    Raises:
        ValueError: either part is empty, or the fitted one holds a single class.
    """
    if not 0 < fitted < len(targets):
        raise ValueError(f"fitted must be in 1 … {len(targets) - 1}, got {fitted}")
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    values = features.detach().cpu().double()
    center, spread = values[:fitted].mean(dim=0), values[:fitted].std(dim=0, correction=0)
    scaled = ((values - center) / torch.where(spread > 0, spread, 1.0)).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=_STEPS).fit(scaled[:fitted], targets[:fitted].numpy())
    hits = int((torch.from_numpy(model.predict(scaled[fitted:])) == targets[fitted:]).sum())
    return wilson(hits, len(targets) - fitted)
