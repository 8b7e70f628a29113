"""How well scores rank the positive class (class 1 of two) above the other: areas under the ROC and precision-recall curves."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dlcli.classifier import class_logits
from dlcli.contracts import Metric, Predictions
from dlcli.metrics.intervals import Z_95


def auroc(predictions: Predictions) -> Metric:
    """Returns the chance that a positive example scores above a negative one, ties counting half, with DeLong's interval.

    The area under the ROC curve, exactly. NaN where a class is absent. The interval is made on the logit scale, so it stays
    inside [0, 1]; there is none where a class has one example, and none at 0 and 1, where the estimated variance is 0.
    Source: DeLong, DeLong and Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver operating
    characteristic curves"; by midranks as in Sun and Xu 2014, "Fast implementation of DeLong's algorithm"; logit scale as
    in Pepe 2003, "The statistical evaluation of medical tests", section 5.2.

    Raises:
        ValueError: there are not two classes.
    """
    scores, positive = _binary(predictions)
    n = len(scores)
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return Metric(math.nan, n=n)
    ranks = midranks(scores)
    # For each positive the share of negatives below it, for each negative the share of positives above it.
    above = (ranks[positive] - midranks(scores[positive])) / others
    below = 1 - (ranks[~positive] - midranks(scores[~positive])) / count
    area = float(above.mean())
    if min(count, others) < 2:
        return Metric(area, n=n)
    error = math.sqrt(float(above.var()) / count + float(below.var()) / others)
    return logit_interval(area, error, n, "delong")


def average_precision(predictions: Predictions) -> Metric:
    """Returns the mean precision over the positives as the threshold falls, equal scores together, with a logit interval.

    The precision-recall curve's area by steps, without interpolation: the sum of (recall gained) · precision, as in
    scikit-learn. NaN where a class is absent. A constant score gives the share of positives.
    Source of the interval: Boyd, Eng and Page 2013, "Area under the precision-recall curve: point estimates and confidence
    intervals", section 3.2; there is none at 0 and 1.

    Raises:
        ValueError: there are not two classes.
    """
    scores, positive = _binary(predictions)
    n, count = len(scores), int(positive.sum())
    if count in {0, n}:
        return Metric(math.nan, n=n)
    order = scores.argsort(descending=True)
    ranked, hits = scores[order], positive[order].double()
    last_of_ties = torch.ones(n, dtype=torch.bool)
    last_of_ties[:-1] = ranked[1:] != ranked[:-1]
    ends = last_of_ties.nonzero().flatten()
    found = hits.cumsum(0)[ends]
    precision = found / (ends + 1)
    gained = found.diff(prepend=torch.zeros(1, dtype=torch.float64)) / count
    area = float((gained * precision).sum())
    return logit_interval(area, math.sqrt(max(area * (1 - area), 0.0) / count), n, "logit")


def _binary(predictions: Predictions) -> tuple[Tensor, Tensor]:
    """Scores for class 1, float64 (N,), and which examples are of class 1, bool (N,)."""
    logits = class_logits(predictions.logits.double())
    if logits.shape[1] != 2:
        raise ValueError(f"expected logits for two classes, got {logits.shape[1]}")
    return logits[:, 1] - logits[:, 0], predictions.targets == 1


def midranks(values: Tensor) -> Tensor:
    """Returns ranks from 1, float64 (N,), equal values sharing the mean of theirs."""
    _, group, counts = torch.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: Tensor = last - (counts.double() - 1) / 2
    return ranks[group]


def logit_interval(value: float, error: float, n: int, method: str) -> Metric:
    """Returns the value with value ± z · standard error taken through the logit; without bounds where that is undefined."""
    if not 0 < value < 1 or error == 0:
        return Metric(value, n=n)
    center, half = math.log(value / (1 - value)), Z_95 * error / (value * (1 - value))
    return Metric(value, _sigmoid(center - half), _sigmoid(center + half), n, method)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
