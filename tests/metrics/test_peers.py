"""The same numbers from torchmetrics, where it is right, and the case where it is not. Skips where it is not installed."""

from __future__ import annotations

import pytest
import torch

from dlcli.contracts import Predictions
from dlcli.metrics.accuracy import accuracy, top_k_accuracy
from dlcli.metrics.calibration import expected_calibration_error
from dlcli.metrics.one_vs_rest import macro_auroc, macro_average_precision
from dlcli.metrics.ranking import auroc, average_precision
from dlcli.metrics.summary import classification_metrics

torchmetrics = pytest.importorskip("torchmetrics", reason="the group oracles is not installed")


def drawn(classes, count=2000):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(count, classes, generator=generator) * 2
    targets = torch.multinomial((logits / 1.5).softmax(dim=1), 1, generator=generator)[:, 0]
    return Predictions(logits, targets, torch.arange(count))


def test_many_classes():
    functional = torchmetrics.functional.classification
    predictions = drawn(6)
    chances, targets = predictions.logits.double().softmax(dim=1), predictions.targets
    found = classification_metrics(predictions, "abcdef", split="test")
    pairs = {
        accuracy(predictions).value: functional.multiclass_accuracy(chances, targets, 6, average="micro"),
        top_k_accuracy(predictions, 3).value: functional.multiclass_accuracy(chances, targets, 6, average="micro", top_k=3),
        found["test/balanced_accuracy"].value: functional.multiclass_recall(chances, targets, 6, average="macro"),
        found["test/macro_f1"].value: functional.multiclass_f1_score(chances, targets, 6, average="macro"),
        macro_auroc(predictions).value: functional.multiclass_auroc(chances, targets, 6),
        macro_average_precision(predictions).value: functional.multiclass_average_precision(chances, targets, 6),
        expected_calibration_error(predictions).value: functional.multiclass_calibration_error(chances, targets, 6, n_bins=15),
    }
    for own, theirs in pairs.items():
        assert own == pytest.approx(float(theirs), abs=1e-6)


def test_two_classes():
    functional = torchmetrics.functional.classification
    predictions = drawn(2)
    chance, targets = predictions.logits.double().softmax(dim=1)[:, 1].contiguous(), predictions.targets
    pairs = {
        auroc(predictions).value: functional.binary_auroc(chance, targets),
        average_precision(predictions).value: functional.binary_average_precision(chance, targets),
        expected_calibration_error(predictions).value: functional.binary_calibration_error(chance, targets, n_bins=15),
    }
    for own, theirs in pairs.items():
        assert own == pytest.approx(float(theirs), abs=1e-6)


def test_a_confidence_of_one_gets_a_bin_of_its_own_there_and_shares_the_last_one_here():
    # torchmetrics#3510; when this fails, it has been mended there.
    logits = torch.tensor([[0.0, float(torch.tensor(0.95).logit())], [0.0, 200.0]])
    predictions = Predictions(logits, torch.tensor([1, 0]), torch.arange(2))
    theirs = torchmetrics.functional.classification.binary_calibration_error(
        torch.tensor([0.95, 1.0]), predictions.targets, n_bins=10
    )
    assert expected_calibration_error(predictions, 10).value == pytest.approx(0.475, abs=1e-6)
    assert float(theirs) == pytest.approx(0.525, abs=1e-6)
