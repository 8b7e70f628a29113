"""What a model's probabilities are worth on data that it was not trained on: fitted on val, kept with the weights."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dlcli.classifier import class_logits, predicted_classes
from dlcli.contracts import Metric, Predictions
from dlcli.metrics.calibration import forecasts
from dlcli.metrics.intervals import wilson
from dlcli.metrics.temperature import fitted_temperature, fitted_thresholds

# Chances within two of these edges are alike: finer where a model is nearly sure.
_EDGES = (0.0, 0.01, 0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 0.99, 1.0)
_BIN = re.compile(r"bin/(\d+)/high")


@dataclass(frozen=True)
class Peers:
    """Validation examples of similar calibrated chances.

    Args:
        low, high: the range of chances, in [0, 1]: above ``low``, or from 0 on, up to ``high``.
        count: how many they are.
        hits: how many of them were what the chance is of.
    """

    low: float
    high: float
    count: int
    hits: int


@dataclass(frozen=True)
class Calibration:
    """How raw logits become probabilities and decisions.

    Args:
        temperature: what logits are divided by, > 0.
        thresholds: of two classes, p(second class) from which on the answer is the second: ``balanced_accuracy`` and ``f1``
            have the best of these scores on val, ``top_5``, ``top_10`` and ``top_20`` select at most so many percent of val.
        peers: what val saw, by rising chance: of two classes p(second class), else the top label's.
    """

    temperature: float
    thresholds: Mapping[str, float]
    peers: tuple[Peers, ...]

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Calibration | None:
        """Returns what a checkpoint's ``calibration`` holds; None where nothing was fitted, or a foreign file garbles it."""
        temperature = values.get("temperature", math.nan)
        if not 0 < temperature < math.inf:
            return None
        names = [name.removeprefix("threshold/") for name in values if name.startswith("threshold/")]
        numbers = sorted(int(match[1]) for name in values if (match := _BIN.fullmatch(name)))
        peers = [
            [values.get(f"bin/{number}/{part}", math.nan) for part in ("low", "high", "count", "hits")] for number in numbers
        ]
        known = [Peers(low, high, int(count), int(hits)) for low, high, count, hits in peers if 0 <= hits <= count < math.inf]
        return cls(temperature, {name: values[f"threshold/{name}"] for name in names}, tuple(known))

    def to_dict(self) -> dict[str, float]:
        """Returns plain numbers by name, as a checkpoint keeps them."""
        found = {"temperature": self.temperature, **{f"threshold/{name}": value for name, value in self.thresholds.items()}}
        for number, each in enumerate(self.peers):
            found |= {f"bin/{number}/low": each.low, f"bin/{number}/high": each.high}
            found |= {f"bin/{number}/count": each.count, f"bin/{number}/hits": each.hits}
        return found

    def scaled(self, predictions: Predictions) -> Predictions:
        """Returns the predictions with calibrated logits; classes and rankings stay what they were."""
        return replace(predictions, logits=class_logits(predictions.logits.double()) / self.temperature)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Returns calibrated class probabilities, float64 (N, P), of raw logits (N, K)."""
        return (class_logits(logits.double()) / self.temperature).softmax(dim=1)

    def observed(self, chance: float) -> Metric:
        """Returns how often val examples of similar chances were what the chance is of, with Wilson's interval.

        NaN where val saw none of a similar chance.

        Args:
            chance: calibrated; of two classes p(second class), else the top label's.
        """
        found = next((each for each in self.peers if each.low < chance <= each.high or chance == each.low == 0), None)
        return wilson(found.hits, found.count) if found is not None else Metric(math.nan, n=0)


def fitted_calibration(predictions: Predictions) -> Calibration:
    """Returns the calibration that fits predictions of examples that the model was not trained on.

    Where every prediction is right, no temperature is the best one (ever lower ones would be): it stays 1.

    Raises:
        ValueError: there are no predictions.
    """
    right = predicted_classes(predictions.logits) == predictions.targets
    temperature = 1.0 if len(right) and bool(right.all()) else fitted_temperature(predictions)
    calibration = Calibration(temperature, {}, ())
    scaled = calibration.scaled(predictions)
    thresholds = fitted_thresholds(scaled) if scaled.logits.shape[1] == 2 else {}
    chance, hit = forecasts(scaled)
    return replace(calibration, thresholds=thresholds, peers=_peers(chance, hit))


def _peers(chance: Tensor, hit: Tensor) -> tuple[Peers, ...]:
    """Groups of similar chances, those that hold examples."""
    place = torch.bucketize(chance, torch.tensor(_EDGES[1:-1], dtype=torch.float64))
    counts = torch.bincount(place, minlength=len(_EDGES) - 1).tolist()
    hits = torch.bincount(place, weights=hit.double(), minlength=len(_EDGES) - 1).tolist()
    groups = zip(_EDGES[:-1], _EDGES[1:], counts, hits, strict=True)
    return tuple(Peers(low, high, count, int(found)) for low, high, count, found in groups if count)
