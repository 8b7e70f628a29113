"""Whether probabilities mean what they say: log-likelihood, Brier score and calibration error."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dlcli.classifier import class_logits, predicted_classes, probabilities
from dlcli.contracts import Metric, Predictions
from dlcli.metrics.gap_interval import Numbers, calibrated_gap, gap_interval
from dlcli.metrics.intervals import mean_interval


@dataclass(frozen=True)
class ReliabilityBin:
    """The examples whose chance, as :func:`forecasts` gives it, lies in (low, high]; the first bin holds 0 too.

    Args:
        low, high: the bin's edges, in [0, 1].
        count: examples in the bin.
        confidence: their mean chance; NaN where the bin is empty.
        accuracy: the share of them for which it came true; NaN where the bin is empty.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def forecasts(predictions: Predictions) -> tuple[Tensor, Tensor]:
    """Returns what is forecast of each example, float64 (N,), and whether it came true, bool (N,).

    Two classes: p(second class), and whether it is that class. More: the top label's probability, and whether it is right.
    """
    chances = probabilities(predictions.logits.double())
    if chances.shape[1] == 2:
        return chances[:, 1].contiguous(), predictions.targets == 1
    return chances.amax(dim=1), predicted_classes(predictions.logits) == predictions.targets


def _example_losses(predictions: Predictions) -> Tensor:
    log_probabilities = class_logits(predictions.logits.double()).log_softmax(dim=1)
    return -log_probabilities.gather(1, predictions.targets[:, None])[:, 0]


def negative_log_likelihood(predictions: Predictions) -> Metric:
    """Returns the mean of -log p(target), in nats, with Student's t interval over the examples."""
    return _within(mean_interval(_example_losses(predictions)), math.inf)


def brier_score(predictions: Predictions) -> Metric:
    """Returns the mean squared distance of the probabilities from the truth, with Student's t interval over the examples.

    More than two classes: summed over the classes, in [0, 2] (Brier 1950, "Verification of forecasts expressed in terms
    of probability"). Two classes, whether from one logit or two: mean of (p1 - y)², in [0, 1], which is half of that sum.
    """
    chances = probabilities(predictions.logits.double())
    classes = chances.shape[1]
    truth = torch.nn.functional.one_hot(predictions.targets, classes).double()
    distances = (chances - truth).square().sum(dim=1)
    return _within(mean_interval(distances / 2 if classes == 2 else distances), 1.0 if classes == 2 else 2.0)


def _within(metric: Metric, highest: float) -> Metric:
    """The metric with its interval cut to the values that it can have, [0, highest]: Student's t knows no bounds."""
    if metric.low is None or metric.high is None:
        return metric
    return replace(metric, low=max(metric.low, 0.0), high=min(metric.high, highest))


def reliability(predictions: Predictions, bins: int = 15) -> tuple[ReliabilityBin, ...]:
    """Returns how confidence and accuracy agree in ``bins`` bins of equal width over [0, 1], empty ones included.

    Confidence is the chance that :func:`forecasts` gives. Bins are closed on the right and the first also on
    the left, so a confidence of exactly 1 belongs to the last bin. torchmetrics 1.9 puts it in a bin of its own and
    reports 0.525 where the definition gives 0.475 (torchmetrics#3510).

    Raises:
        ValueError: ``bins`` is below 1.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    confidence, came_true = forecasts(predictions)
    right = came_true.double()
    edges = torch.arange(bins + 1, dtype=torch.float64) / bins
    place = torch.bucketize(confidence, edges[1:-1])
    count = torch.bincount(place, minlength=bins)
    mean_confidence = torch.bincount(place, weights=confidence, minlength=bins) / count
    mean_right = torch.bincount(place, weights=right, minlength=bins) / count
    columns = (edges[:-1].tolist(), edges[1:].tolist(), count.tolist(), mean_confidence.tolist(), mean_right.tolist())
    return tuple(ReliabilityBin(*row) for row in zip(*columns, strict=True))


def expected_calibration_error(predictions: Predictions, bins: int = 15) -> Metric:
    """Returns the mean gap between confidence and accuracy over :func:`reliability`'s bins, weighted by their counts.

    Biased upwards for few examples: a perfectly calibrated model does not reach 0, see :func:`error_if_calibrated`. The interval
    is :func:`~dlcli.metrics.gap_interval.gap_interval`'s. NaN without examples.
    Source: Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning"; top-label and bins
    as in Guo et al. 2017, "On calibration of modern neural networks", eq. 3.
    """
    n = len(predictions.targets)
    if n == 0:
        return Metric(math.nan, n=0)
    counts, gaps, chances = _filled(predictions, bins)
    low, high = gap_interval(counts, gaps, chances)
    return Metric(float((counts * np.abs(gaps)).sum()) / n, low, high, n, "simulation")


def error_if_calibrated(predictions: Predictions, bins: int = 15) -> Metric:
    """Returns what :func:`expected_calibration_error` would be of a model that is right exactly as often as it says.

    The mean over simulated outcomes of the same chances; ``high`` is what 97.5 % of them stay below. An error above it cannot
    be put down to the number of examples.
    """
    n = len(predictions.targets)
    if n == 0:
        return Metric(math.nan, n=0)
    counts, _, chances = _filled(predictions, bins)
    mean, high = calibrated_gap(counts, chances)
    return Metric(mean, 0.0, high, n, "simulation")


def _filled(predictions: Predictions, bins: int) -> tuple[Numbers, Numbers, Numbers]:
    """Counts, gaps and mean chances of the bins that hold examples."""
    filled = [part for part in reliability(predictions, bins) if part.count]
    rows = [(part.count, part.accuracy - part.confidence, part.confidence) for part in filled]
    counts, gaps, chances = np.array(rows, dtype=np.float64).T
    return counts, gaps, chances


def adaptive_calibration_error(predictions: Predictions, bins: int = 15) -> Metric:
    """Returns the mean gap between confidence and accuracy over bins of equally many examples (they differ by one at most).

    Where a model is nearly always sure, equal widths put nearly all examples into the last bin; equal counts spread them.
    There are fewer than ``bins`` where a bin would hold less than 20 examples. Examples of one confidence share their accuracy,
    so their order does not matter where they span bins. Biased upwards as :func:`expected_calibration_error`;
    NaN without examples.
    Source: Nixon et al. 2019, "Measuring calibration in deep learning", section 4.1, for the top label.

    Raises:
        ValueError: ``bins`` is below 1.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    n = len(predictions.targets)
    if n == 0:
        return Metric(math.nan, n=0)
    chance, came_true = forecasts(predictions)
    confidence, order = chance.sort(stable=True)
    right = came_true.double()[order]
    _, tie, count = torch.unique(confidence, return_inverse=True, return_counts=True)
    right = (torch.zeros(len(count), dtype=torch.float64).index_add(0, tie, right) / count)[tie]
    parts = max(1, min(bins, n // 20))
    gaps, chances = ((values.tensor_split(parts)) for values in (right - confidence, confidence))
    counts, means, at = (
        np.array(values, dtype=np.float64)
        for values in ([len(gap) for gap in gaps], [float(gap.mean()) for gap in gaps], [float(part.mean()) for part in chances])
    )
    low, high = gap_interval(counts, means, at)
    return Metric(float((counts * np.abs(means)).sum()) / n, low, high, n, "simulation")
