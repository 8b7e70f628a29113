"""Ranking of more than two classes: each against the rest, and the mean over the classes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dlcli.classifier import class_logits
from dlcli.contracts import Metric, Predictions
from dlcli.metrics.ranking import logit_interval, midranks


def macro_auroc(predictions: Predictions) -> Metric:
    """Returns the mean over the classes of the area under the ROC curve of p(class), as scikit-learn's one-vs-rest macro.

    Classes without examples, or with all of them, are left out; NaN where that leaves none. The interval is the infinitesimal
    jackknife's, which is what the bootstrap tends to: how much each example moves the mean gives its variance, at the price of
    one sort per class; for two classes it is DeLong's. On the logit scale, as for two classes.
    Source: Jaeckel 1972, "The infinitesimal jackknife"; Efron and Tibshirani 1993, "An introduction to the bootstrap", ch. 21.
    """
    return _mean_over_classes(predictions, _area_and_influence)


def macro_average_precision(predictions: Predictions) -> Metric:
    """Returns the mean over the classes of the average precision of p(class), as scikit-learn's macro; else as above."""
    return _mean_over_classes(predictions, _precision_and_influence)


def _mean_over_classes(predictions: Predictions, score: Callable[[Tensor, Tensor], tuple[float, Tensor]]) -> Metric:
    # Logarithms keep apart what the probabilities of a sure model would round to 1; what differs by rounding alone is equal.
    scores = class_logits(predictions.logits.double()).log_softmax(dim=1).round(decimals=10)
    n, classes = scores.shape
    found = []
    for number in range(classes):
        positive = predictions.targets == number
        if 0 < int(positive.sum()) < n:
            found.append(score(scores[:, number].contiguous(), positive))
    if not found:
        return Metric(math.nan, n=n)
    value = sum(each for each, _ in found) / len(found)
    influence = torch.stack([each for _, each in found]).mean(dim=0)
    return logit_interval(value, float(influence.square().sum().sqrt()), n, "jackknife")


def _area_and_influence(scores: Tensor, positive: Tensor) -> tuple[float, Tensor]:
    """The area, and the change of it per unit of each example's weight, float64 (N,)."""
    count, others = int(positive.sum()), int((~positive).sum())
    ranks, influence = midranks(scores), torch.empty_like(scores)
    above = (ranks[positive] - midranks(scores[positive])) / others
    below = 1 - (ranks[~positive] - midranks(scores[~positive])) / count
    area = float(above.mean())
    influence[positive] = (above - area) / count
    influence[~positive] = (below - area) / others
    return area, influence


def _precision_and_influence(scores: Tensor, positive: Tensor) -> tuple[float, Tensor]:
    """The average precision, and the change of it per unit of each example's weight, float64 (N,)."""
    order = scores.argsort(descending=True)
    ranked, hits = scores[order], positive[order].double()
    _, tie, sizes = torch.unique_consecutive(ranked, return_inverse=True, return_counts=True)
    said = sizes.cumsum(0).double()  # examples at or above each distinct score
    gained = torch.zeros_like(said).index_add(0, tie, hits)
    found = gained.cumsum(0)
    count, precision = float(hits.sum()), found / said
    area = float((gained * precision).sum()) / count
    # An example counts as said, and as found if it is positive, at its own score and at all lower ones.
    as_found, as_said = (_from_the_end(gained * part) for part in (1 / said, found / said**2))
    change = hits * (precision[tie] - area) + hits * as_found[tie] - as_said[tie]
    influence = torch.empty_like(scores)
    influence[order] = change / count
    return area, influence


def _from_the_end(values: Tensor) -> Tensor:
    return values.flip(0).cumsum(0).flip(0)
