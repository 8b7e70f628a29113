"""Macro areas against scikit-learn, and their influence against moving weights."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from dlcli.contracts import Predictions
from dlcli.metrics.one_vs_rest import macro_auroc, macro_average_precision
from dlcli.metrics.ranking import auroc


def drawn(count, classes=4, *, seed=0, ties=False):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, classes, generator=generator, dtype=torch.float64) * 1.5
    targets = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
    return Predictions(logits.round() if ties else logits, targets, torch.arange(count))


@pytest.mark.parametrize("ties", [False, True])
def test_both_areas_agree_with_scikit_learn(ties):
    predictions = drawn(300, ties=ties)
    chances = predictions.logits.softmax(dim=1).numpy().round(12)
    truth = torch.nn.functional.one_hot(predictions.targets, 4).numpy()
    assert macro_auroc(predictions).value == pytest.approx(
        roc_auc_score(predictions.targets, chances, multi_class="ovr", average="macro"), abs=1e-6
    )
    assert macro_average_precision(predictions).value == pytest.approx(
        average_precision_score(truth, chances, average="macro"), abs=1e-6
    )


def test_two_classes_give_delongs_interval_but_for_its_small_sample_factor():
    predictions = drawn(500, 2)
    own, delong = macro_auroc(predictions), auroc(predictions)
    assert own.value == pytest.approx(delong.value, abs=1e-12)
    assert (own.low, own.high) == (pytest.approx(delong.low, abs=2e-4), pytest.approx(delong.high, abs=2e-4))


@pytest.mark.parametrize(
    ("score", "reference"), [(macro_auroc, roc_auc_score), (macro_average_precision, average_precision_score)]
)
def test_the_interval_is_that_of_the_leave_one_out_jackknife(score, reference):
    predictions = drawn(400, 3)
    n, values = len(predictions.targets), []
    chances, truth = predictions.logits.softmax(dim=1).numpy(), torch.nn.functional.one_hot(predictions.targets, 3).numpy()
    for left_out in range(n):
        kept = [row for row in range(n) if row != left_out]
        values.append(reference(truth[kept], chances[kept], average="macro"))
    variance = (n - 1) / n * sum((value - sum(values) / n) ** 2 for value in values)
    found = score(predictions)
    half = (math.log(found.high / (1 - found.high)) - math.log(found.low / (1 - found.low))) / 2
    assert half == pytest.approx(1.95996 * math.sqrt(variance) / (found.value * (1 - found.value)), rel=0.03)


@pytest.mark.parametrize("score", [macro_auroc, macro_average_precision])
def test_intervals_hold_the_truth_as_often_as_they_say(score):
    truth = score(drawn(200_000, 3, seed=999)).value
    held = [found.low <= truth <= found.high for found in (score(drawn(300, 3, seed=seed)) for seed in range(300))]
    assert 0.91 <= sum(held) / len(held) <= 0.985


@pytest.mark.parametrize("score", [macro_auroc, macro_average_precision])
def test_a_class_without_examples_is_left_out_and_one_class_alone_gives_nothing(score):
    predictions = drawn(100, 3)
    kept = predictions.targets < 2
    some = Predictions(predictions.logits[kept], predictions.targets[kept], predictions.index[kept])
    assert 0 < score(some).value < 1
    assert math.isnan(score(Predictions(predictions.logits, torch.zeros(100, dtype=torch.int64), predictions.index)).value)
