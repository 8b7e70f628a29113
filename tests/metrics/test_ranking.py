import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from dlcli.contracts import Predictions
from dlcli.metrics.ranking import auroc, average_precision


def predictions_of(scores, targets) -> Predictions:
    logits = torch.as_tensor(scores, dtype=torch.float32).reshape(-1, 1)
    return Predictions(logits, torch.as_tensor(targets, dtype=torch.int64), torch.arange(len(logits)))


# Few different scores, so that ties are common; the first two rows make both classes occur.
SCORED = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=60).map(
    lambda rows: [(0, True), (1, False), *rows]
)


@given(SCORED)
def test_both_areas_agree_with_scikit_learn_also_with_ties(rows):
    scores, targets = zip(*rows, strict=True)
    predictions = predictions_of([score / 3 for score in scores], targets)
    assert auroc(predictions).value == pytest.approx(roc_auc_score(targets, scores), abs=1e-12)
    assert average_precision(predictions).value == pytest.approx(average_precision_score(targets, scores), abs=1e-12)


def test_two_logits_rank_as_the_one_that_they_differ_by():
    scores, targets = torch.randn(40, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2
    one = predictions_of(scores, targets)
    two = Predictions(torch.stack([3 - scores / 2, 3 + scores / 2], dim=1), targets, one.index)
    assert auroc(two).value == pytest.approx(auroc(one).value)
    assert average_precision(two).value == pytest.approx(average_precision(one).value)


def test_a_constant_score_ranks_nothing():
    predictions = predictions_of([0.5] * 10, [1, 0, 0, 0, 0] * 2)
    assert auroc(predictions).value == 0.5
    assert average_precision(predictions).value == pytest.approx(0.2)


@pytest.mark.parametrize("metric", [auroc, average_precision])
@pytest.mark.parametrize("targets", [[], [0, 0, 0], [1, 1, 1]])
def test_without_both_classes_there_is_no_area(metric, targets):
    result = metric(predictions_of([float(place) for place in range(len(targets))], targets))
    assert math.isnan(result.value)
    assert (result.low, result.high, result.n, result.method) == (None, None, len(targets), None)


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_a_perfect_ranking_has_no_interval(metric):
    result = metric(predictions_of([0, 1, 2, 3], [0, 0, 1, 1]))
    assert (result.value, result.low, result.high) == (1.0, None, None)


def test_delongs_variance_is_that_of_the_pairs():
    scores, targets = torch.tensor([0.1, 0.4, 0.4, 0.7, 0.8, 0.2, 0.9]), torch.tensor([0, 0, 1, 0, 1, 1, 1])
    wins = (scores[targets == 1][:, None] > scores[targets == 0]).double()
    wins += (scores[targets == 1][:, None] == scores[targets == 0]).double() / 2
    error = math.sqrt(float(wins.mean(1).var()) / 4 + float(wins.mean(0).var()) / 3)
    result = auroc(predictions_of(scores, targets))
    area = float(wins.mean())
    center, half = math.log(area / (1 - area)), 1.959964 * error / (area * (1 - area))
    assert result.value == pytest.approx(area)
    assert result.low == pytest.approx(1 / (1 + math.exp(half - center)))
    assert result.high == pytest.approx(1 / (1 + math.exp(-half - center)))
    assert result.method == "delong"


def test_the_interval_of_average_precision_is_boyds():
    result = average_precision(predictions_of([4, 3, 2, 1], [1, 0, 1, 0]))
    area = (1 + 2 / 3) / 2
    half = 1.959964 / math.sqrt(2 * area * (1 - area))
    assert result.value == pytest.approx(area)
    assert result.low == pytest.approx(1 / (1 + (1 - area) / area * math.exp(half)))
    assert (result.n, result.method) == (4, "logit")


@pytest.mark.parametrize(("metric", "least"), [(auroc, 0.92), (average_precision, 0.90)])
def test_intervals_hold_the_true_area_about_as_often_as_they_say(metric, least):
    def sample(n, seed):
        targets = np.arange(n) % 4 == 0
        return predictions_of(np.random.default_rng(seed).normal(size=n) + 1.2 * targets, targets)

    truth = metric(sample(200_000, 0)).value
    results = [metric(sample(120, seed)) for seed in range(1, 301)]
    held = sum(result.low <= truth <= result.high for result in results) / len(results)
    assert least <= held <= 0.99


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_more_than_two_classes_are_refused(metric):
    with pytest.raises(ValueError, match="expected logits for two classes, got 3"):
        metric(Predictions(torch.zeros(4, 3), torch.tensor([0, 1, 2, 0]), torch.arange(4)))
