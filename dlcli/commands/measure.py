"""What ``dl evaluate`` measures on a split: the model as it is, with calibrated probabilities, and at its thresholds."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from dlcli.classifier import predicted_classes
from dlcli.contracts import Metric, Predictions
from dlcli.metrics.calibrated import Calibration
from dlcli.metrics.calibration import (
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
)
from dlcli.metrics.intervals import wilson
from dlcli.metrics.summary import classification_metrics
from dlcli.report.text import cell

HALF = "half"
# Probabilities of each class stand in predictions.csv up to so many classes; beyond, those of two of them.
_ALL_CHANCES_UP_TO = 100


@dataclass(frozen=True)
class Measured:
    """Predictions of a split and all numbers about them.

    Args:
        calibration: fitted on val, or None where nothing was.
        metrics: those of :func:`~dlcli.metrics.summary.classification_metrics`; ``SPLIT/calibrated/NAME`` after temperature
            scaling; of two classes ``SPLIT/threshold/NAME/selected``, ``precision`` and ``recall``.
    """

    predictions: Predictions
    calibration: Calibration | None
    metrics: Mapping[str, Metric]

    @property
    def scaled(self) -> Predictions:
        """The predictions with calibrated logits; as they are where nothing was fitted."""
        return self.predictions if self.calibration is None else self.calibration.scaled(self.predictions)


def measured(predictions: Predictions, classes: tuple[str, ...], *, split: str, stored: Mapping[str, float]) -> Measured:
    """Returns the numbers about ``predictions``; ``stored`` is the checkpoint's calibration. Raises ComputeError on NaN."""
    calibration = Calibration.of(stored)
    metrics = classification_metrics(predictions, classes, split=split)
    if calibration is not None:
        metrics |= {f"{split}/calibrated/{name}": metric for name, metric in _calibrated(predictions, calibration).items()}
        metrics["calibration/temperature"] = Metric(calibration.temperature)
    if len(classes) == 2:
        metrics |= {f"{split}/threshold/{name}": metric for name, metric in _decisions(predictions, calibration).items()}
    return Measured(predictions, calibration, metrics)


def predictions_csv(found: Measured, classes: tuple[str, ...]) -> bytes:
    """Returns a line per example: its position in the split, class, predicted class, and calibrated probabilities.

    Without a calibration the probabilities are the model's own. Beyond 100 classes only those of the predicted and of the true
    class are given.
    """
    chances = (found.calibration or Calibration(1.0, {}, ())).probabilities(found.predictions.logits)
    predicted, targets = predicted_classes(found.predictions.logits), found.predictions.targets
    names, shown_classes = [f"p({name})" for name in classes], [cell(name) for name in classes]
    shown = chances
    if len(classes) > _ALL_CHANCES_UP_TO:
        names = ["p(predicted)", "p(target)"]
        shown = chances.gather(1, predicted[:, None].repeat(1, 2).index_copy(1, predicted.new_tensor([1]), targets[:, None]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "target", "predicted", "right", *names])
    rows = zip(found.predictions.index.tolist(), targets.tolist(), predicted.tolist(), shown.tolist(), strict=True)
    for index, target, said, values in rows:
        writer.writerow(
            [index, shown_classes[target], shown_classes[said], int(target == said), *(f"{value:.6g}" for value in values)]
        )
    return text.getvalue().encode()


def _calibrated(predictions: Predictions, calibration: Calibration) -> dict[str, Metric]:
    scaled = calibration.scaled(predictions)
    return {
        "nll": negative_log_likelihood(scaled),
        "brier": brier_score(scaled),
        "ece": expected_calibration_error(scaled),
        "adaptive_ece": adaptive_calibration_error(scaled),
    }


def _decisions(predictions: Predictions, calibration: Calibration | None) -> dict[str, Metric]:
    """What answering yes from a threshold on comes to: the share of examples, how many of them are right, how many are found."""
    own = calibration or Calibration(1.0, {}, ())
    chance, positive = own.probabilities(predictions.logits)[:, 1], predictions.targets == 1
    metrics: dict[str, Metric] = {}
    for name, threshold in {HALF: 0.5, **own.thresholds}.items():
        said = chance >= threshold
        hits = int((said & positive).sum())
        metrics[f"{name}/at"] = Metric(threshold)
        metrics[f"{name}/selected"] = wilson(int(said.sum()), len(said))
        metrics[f"{name}/precision"] = wilson(hits, int(said.sum()))
        metrics[f"{name}/recall"] = wilson(hits, int(positive.sum()))
    return metrics
