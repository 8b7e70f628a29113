import math

import pytest
import torch
from sklearn import metrics as sklearn_metrics

from dlcli.contracts import Predictions
from dlcli.errors import ComputeError
from dlcli.metrics.intervals import wilson
from dlcli.metrics.summary import classification_metrics


def predictions_of(logits, targets):
    logits = torch.as_tensor(logits, dtype=torch.float32)
    return Predictions(logits, torch.as_tensor(targets, dtype=torch.int64), torch.arange(len(logits)))


def random_predictions(classes, n=200):
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(n, classes, generator=generator)
    return predictions_of(logits, torch.randint(classes, (n,), generator=generator))


def names(classes):
    return [f"class {number}" for number in range(classes)]


@pytest.mark.parametrize(
    ("classes", "top"),
    [(2, set()), (3, set()), (4, {"top3_accuracy"}), (6, {"top3_accuracy", "top5_accuracy"})],
)
def test_the_keys_are_those_of_the_design(classes, top):
    metrics = classification_metrics(random_predictions(classes), names(classes), split="test")
    overall = {"accuracy", "balanced_accuracy", "macro_f1", "nll", "brier", "ece", "adaptive_ece", "ece_if_calibrated"}
    overall |= {"auroc", "average_precision"} | top
    per_class = {f"{name}/{number}" for name in ("precision", "recall", "f1") for number in range(classes)}
    assert set(metrics) == {f"test/{name}" for name in overall | per_class}


def test_the_split_names_the_keys():
    assert all(name.startswith("val/") for name in classification_metrics(random_predictions(3), names(3), split="val"))


def test_every_metric_says_how_many_examples_it_rests_on():
    assert all(metric.n is not None for metric in classification_metrics(random_predictions(6), names(6), split="test").values())


def test_macro_scores_agree_with_scikit_learn():
    predictions = random_predictions(6)
    metrics = classification_metrics(predictions, names(6), split="test")
    predicted = predictions.logits.argmax(dim=1)
    assert metrics["test/balanced_accuracy"].value == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(predictions.targets, predicted), abs=1e-12
    )
    assert metrics["test/macro_f1"].value == pytest.approx(
        sklearn_metrics.f1_score(predictions.targets, predicted, average="macro"), abs=1e-12
    )


def test_a_class_without_examples_does_not_enter_the_macro_scores():
    predictions = predictions_of([[9, 0, 0, 0], [0, 9, 0, 0], [9, 0, 0, 0], [0, 9, 0, 0]], [0, 1, 1, 1])
    metrics = classification_metrics(predictions, names(4), split="test")
    assert metrics["test/balanced_accuracy"].value == pytest.approx((1 + 2 / 3) / 2)
    assert metrics["test/macro_f1"].value == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert metrics["test/recall/3"].to_dict() == {"value": None, "low": None, "high": None, "n": 0, "method": None}


def test_recall_rests_on_the_class_and_precision_on_its_predictions():
    predictions = predictions_of([[9, 0], [9, 0], [9, 0], [0, 9]], [0, 0, 1, 1])
    metrics = classification_metrics(predictions, names(2), split="test")
    assert metrics["test/recall/0"] == wilson(2, 2)
    assert metrics["test/precision/0"] == wilson(2, 3)
    assert (metrics["test/f1/1"].value, metrics["test/f1/1"].n) == (pytest.approx(2 / 3), 2)


def test_one_binary_logit_gives_the_numbers_of_two_logits():
    logit = torch.randn(50, 1, generator=torch.Generator().manual_seed(0))
    targets = (logit[:, 0] > 0.3).long()
    one = classification_metrics(predictions_of(logit, targets), names(2), split="test")
    two = classification_metrics(predictions_of(torch.cat([-logit / 2, logit / 2], dim=1), targets), names(2), split="test")
    assert {name: metric.value for name, metric in one.items()} == pytest.approx(
        {name: metric.value for name, metric in two.items()}, abs=1e-12
    )


def test_an_empty_split_gives_nan_and_no_error():
    metrics = classification_metrics(predictions_of(torch.zeros(0, 4), []), names(4), split="val")
    assert all(math.isnan(metric.value) and metric.n == 0 for metric in metrics.values())


def test_logits_of_another_width_are_refused():
    with pytest.raises(ValueError, match="expected logits for 5 classes, got 4"):
        classification_metrics(random_predictions(4), names(5), split="test")


def test_a_nan_logit_is_no_prediction():
    predictions = random_predictions(3)
    predictions.logits[7, 1] = math.nan
    with pytest.raises(ComputeError, match="NaN or infinity for 1 of 200 test examples"):
        classification_metrics(predictions, names(3), split="test")
