"""One number that makes a model as sure as it is right, and the thresholds at which a probability becomes a yes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dlcli.classifier import class_logits, probabilities
from dlcli.contracts import Predictions

CAPACITIES = (5, 10, 20)  # percent
_STEPS = 60
_RANGE = (math.log(0.02), math.log(50.0))


def fitted_temperature(predictions: Predictions) -> float:
    """Returns the T > 0 for which softmax(logits / T) has the smallest negative log-likelihood, in [0.02, 50].

    Fit it on data that the model was not trained on. The likelihood is convex in 1 / T, so a golden-section search over
    log T finds the one minimum, to 1e-9. Source: Guo et al. 2017, "On calibration of modern neural networks", §4.2.

    Raises:
        ValueError: there are no predictions.
    """
    if len(predictions.targets) == 0:
        raise ValueError("no predictions to fit a temperature to")
    logits = class_logits(predictions.logits.double())

    def loss(log_temperature: float) -> float:
        chances = (logits / math.exp(log_temperature)).log_softmax(dim=1)
        return float(-chances.gather(1, predictions.targets[:, None]).mean())

    low, high = _RANGE
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    left_loss, right_loss = loss(left), loss(right)
    for _ in range(_STEPS):
        if left_loss <= right_loss:
            high, right, right_loss = right, left, left_loss
            left = high - golden * (high - low)
            left_loss = loss(left)
        else:
            low, left, left_loss = left, right, right_loss
            right = low + golden * (high - low)
            right_loss = loss(right)
    return math.exp((low + high) / 2)


def fitted_thresholds(predictions: Predictions) -> dict[str, float]:
    """Returns thresholds t of p(second class) >= t, for two classes, by what they are good for.

    ``balanced_accuracy`` and ``f1`` have the best of these scores: only the probabilities that occur can change an answer, so
    each of them is tried, and of equally good ones the highest is taken. ``top_5``, ``top_10`` and ``top_20`` select as many
    examples as they can, and at most so many percent: what one has the capacity to act on. Each t lies half-way to the next
    lower probability. A threshold that there is none for, as where a class has no example, is left out.

    Raises:
        ValueError: there are not two classes.
    """
    chances = probabilities(predictions.logits.double())
    if chances.shape[1] != 2:
        raise ValueError(f"a threshold needs two classes, got {chances.shape[1]}")
    positive = predictions.targets == 1
    values, order = chances[:, 1].sort(descending=True)
    hits = positive[order].double().cumsum(0)
    said = torch.arange(1, len(values) + 1, dtype=torch.float64)
    last_of_its_value = torch.cat([values[1:] != values[:-1], torch.tensor([True])[: len(values)]])
    positives = float(positive.sum())
    negatives = len(positive) - positives
    scores = {f"top_{share}": torch.where(said <= len(values) * share / 100, said, -1.0) for share in CAPACITIES}
    if positives and negatives:
        balanced = (hits / positives + 1 - (said - hits) / negatives) / 2
        scores = {"balanced_accuracy": balanced, "f1": 2 * hits / (said + positives), **scores}
    fit = {name: score.masked_fill(~last_of_its_value, -1.0) for name, score in scores.items()}
    return {name: _cut(values, score) for name, score in fit.items() if len(values) and float(score.max()) >= 0}


def _cut(values: Tensor, score: Tensor) -> float:
    """Half-way between the last probability that counts as yes and the next lower one."""
    best = int(score.argmax())
    below = float(values[best + 1]) if best + 1 < len(values) else 0.0
    return (float(values[best]) + below) / 2
