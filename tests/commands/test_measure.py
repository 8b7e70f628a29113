"""What is measured beside the plain metrics, and the file of predictions."""

from __future__ import annotations

import csv

import pytest
import torch

from dlcli.commands.measure import measured, predictions_csv
from dlcli.contracts import Predictions
from dlcli.metrics.calibrated import fitted_calibration


def drawn(classes, count=400, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, classes, generator=generator) * 2
    targets = torch.multinomial((logits / 2).softmax(dim=1), 1, generator=generator)[:, 0]
    return Predictions(logits, targets, torch.arange(count))


def written(predictions, classes, *, stored):
    found = measured(predictions, classes, split="test", stored=stored)
    return list(csv.DictReader(predictions_csv(found, classes).decode().splitlines()))


def test_thresholds_of_val_decide_on_test() -> None:
    calibration = fitted_calibration(drawn(2))
    metrics = measured(drawn(2, seed=1), ("no", "yes"), split="test", stored=calibration.to_dict()).metrics
    assert metrics["test/threshold/top_10/selected"].value == pytest.approx(0.1, abs=0.05)
    assert metrics["test/threshold/half/recall"].value == metrics["test/recall/1"].value
    assert metrics["test/threshold/f1/at"].value == calibration.thresholds["f1"]


def test_predictions_are_written_with_calibrated_probabilities() -> None:
    predictions = drawn(3, 50)
    rows = written(predictions, ("a", "b", "c"), stored={"temperature": 2.0})
    assert [int(row["index"]) for row in rows] == list(range(50))
    chances = torch.tensor([[float(row[f"p({name})"]) for name in "abc"] for row in rows])
    assert torch.allclose(chances, (predictions.logits / 2).softmax(dim=1), atol=1e-5)
    assert all((row["target"] == row["predicted"]) == (row["right"] == "1") for row in rows)


def test_of_many_classes_only_two_probabilities_are_written() -> None:
    predictions, names = drawn(150, 20), tuple(map(str, range(150)))
    rows = written(predictions, names, stored={})
    chances = predictions.logits.double().softmax(dim=1)
    assert float(rows[3]["p(predicted)"]) == pytest.approx(float(chances[3].max()), rel=1e-4)
    assert float(rows[3]["p(target)"]) == pytest.approx(float(chances[3, predictions.targets[3]]), rel=1e-4)


def test_calibrated_figures_stand_beside_the_models_own() -> None:
    stored = fitted_calibration(drawn(3)).to_dict()
    metrics = measured(drawn(3, seed=1), ("a", "b", "c"), split="test", stored=stored).metrics
    assert metrics["calibration/temperature"].value == pytest.approx(2, rel=0.3)
    assert metrics["test/calibrated/nll"].value < metrics["test/nll"].value
    assert not any("threshold" in name for name in metrics)
