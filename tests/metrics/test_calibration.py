import itertools
import math

import pytest
import torch
from sklearn import metrics as sklearn_metrics

from dlcli.contracts import Predictions
from dlcli.metrics.calibration import (
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)


def predictions_of(logits, targets):
    logits = torch.as_tensor(logits, dtype=torch.float32)
    return Predictions(logits, torch.as_tensor(targets, dtype=torch.int64), torch.arange(len(logits)))


def with_confidences(confidences, right):
    """Two-class predictions of class 1 with these confidences, each right or not."""
    logits = [[0.0, 200.0 if share == 1 else math.log(share / (1 - share))] for share in confidences]
    return predictions_of(logits, [int(hit) for hit in right])


@pytest.fixture
def random_predictions():
    generator = torch.Generator().manual_seed(5)
    targets = torch.randint(5, (300,), generator=generator)
    return predictions_of(torch.randn(300, 5, generator=generator) * 2, targets)


def test_nll_of_equal_logits_is_log_p():
    assert negative_log_likelihood(predictions_of(torch.zeros(4, 10), range(4))).value == pytest.approx(math.log(10), abs=1e-14)


def test_nll_agrees_with_scikit_learn(random_predictions):
    chances = random_predictions.logits.double().softmax(dim=1)
    expected = sklearn_metrics.log_loss(random_predictions.targets, chances.numpy(), labels=range(5))
    assert negative_log_likelihood(random_predictions).value == pytest.approx(expected, abs=1e-12)


def test_nll_of_one_logit_is_softplus():
    found = negative_log_likelihood(predictions_of([[2.0], [-3.0]], [1, 1])).value
    assert found == pytest.approx((math.log1p(math.exp(-2)) + math.log1p(math.exp(3))) / 2, abs=1e-12)


def test_nll_stays_finite_for_a_sure_and_wrong_model():
    assert negative_log_likelihood(predictions_of([[1e6, 0.0]], [1])).value == 1e6


def test_nll_interval_is_students_over_the_examples():
    metric = negative_log_likelihood(predictions_of([[2.0], [-3.0]], [1, 1]))
    assert (metric.n, metric.method) == (2, "t")
    assert metric.low < metric.value < metric.high


def test_brier_agrees_with_scikit_learn(random_predictions):
    chances = random_predictions.logits.double().softmax(dim=1)
    expected = sklearn_metrics.brier_score_loss(random_predictions.targets, chances.numpy(), labels=range(5))
    assert brier_score(random_predictions).value == pytest.approx(expected, abs=1e-12)


def test_brier_of_a_sure_and_wrong_model_is_two():
    assert brier_score(predictions_of([[500.0, 0, 0]], [1])).value == pytest.approx(2)


def test_brier_of_equal_chances_is_one_minus_one_over_p():
    assert brier_score(predictions_of(torch.zeros(3, 10), range(3))).value == pytest.approx(0.9)


def test_binary_brier_is_the_squared_error_of_class_one():
    chance = 1 / (1 + math.exp(-0.7))
    expected = (chance**2 + (1 - chance) ** 2) / 2
    assert brier_score(predictions_of([[0.7], [0.7]], [0, 1])).value == pytest.approx(expected, abs=1e-7)


def test_brier_is_the_same_for_one_logit_and_for_two():
    one = brier_score(predictions_of([[0.75], [-2.0]], [0, 1])).value
    two = brier_score(predictions_of([[0.0, 0.75], [1.0, -1.0]], [0, 1])).value
    assert one == pytest.approx(two, abs=1e-12)


@pytest.mark.parametrize("bins", [10, 15])
def test_confidence_one_shares_the_last_bin(bins):
    # torchmetrics#3510: |(0.95 + 1)/2 - 1/2| = 0.475; a bin of its own for confidence 1 gives (0.05 + 1)/2 = 0.525.
    predictions = with_confidences([0.95, 1.0], [True, False])
    assert expected_calibration_error(predictions, bins).value == pytest.approx(0.475, abs=1e-7)


def test_there_are_as_many_bins_as_asked_for():
    table = reliability(with_confidences([1.0, 1.0, 0.6], [True, True, False]), 10)
    assert [part.count for part in table] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 2]


def test_bins_are_closed_on_the_right():
    # Four equal logits: the confidence is exactly 1/4, the edge between the first and the second of four bins.
    table = reliability(predictions_of(torch.zeros(3, 4), [0, 1, 2]), 4)
    assert [part.count for part in table] == [3, 0, 0, 0]
    assert (table[0].confidence, table[0].accuracy) == (0.25, pytest.approx(1 / 3))


def test_bins_cover_zero_to_one():
    table = reliability(predictions_of(torch.zeros(1, 3), [0]), 15)
    assert (table[0].low, table[-1].high) == (0.0, 1.0)
    assert all(left.high == right.low for left, right in itertools.pairwise(table))


def test_empty_bins_have_no_confidence():
    empty = reliability(with_confidences([1.0], [True]), 2)[0]
    assert empty.count == 0
    assert math.isnan(empty.confidence)
    assert math.isnan(empty.accuracy)


def test_ece_agrees_with_a_loop_over_examples(random_predictions):
    chances = random_predictions.logits.double().softmax(dim=1)
    sums = {}
    for row, target in zip(chances.tolist(), random_predictions.targets.tolist(), strict=True):
        place = max(math.ceil(max(row) * 15) - 1, 0)
        sums[place] = sums.get(place, 0.0) + (row.index(max(row)) == target) - max(row)
    expected = sum(abs(gap) for gap in sums.values()) / 300
    assert expected_calibration_error(random_predictions).value == pytest.approx(expected, abs=1e-12)


def test_ece_of_a_sure_and_right_model_is_zero():
    assert expected_calibration_error(with_confidences([1.0] * 5, [True] * 5)).value == 0


def test_of_two_classes_the_second_is_forecast():
    # Logit -log 3 means 1/4 for class 1, which never comes: the gap is 1/4, and lies in the bin of 1/4.
    assert [part.count for part in reliability(predictions_of([[-math.log(3)]] * 4, [0] * 4), 3)] == [4, 0, 0]
    assert expected_calibration_error(predictions_of([[-math.log(3)]] * 4, [0] * 4)).value == pytest.approx(0.25, abs=1e-7)


def test_ece_of_nothing_is_nan():
    assert math.isnan(expected_calibration_error(predictions_of(torch.zeros(0, 3), [])).value)


def test_bins_below_one_are_refused():
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        reliability(predictions_of(torch.zeros(1, 3), [0]), 0)


def test_an_interval_stays_within_the_values_that_a_score_can_have():
    logits = torch.tensor([[12.0, -12.0]]).repeat(30, 1)
    predictions = Predictions(logits, torch.tensor([1] + [0] * 29), torch.arange(30))
    for score in (brier_score(predictions), negative_log_likelihood(predictions)):
        assert score.low == 0.0
        assert score.high > score.value
    wrong = Predictions(logits, torch.tensor([0] + [1] * 29), torch.arange(30))
    assert brier_score(wrong).high == 1.0


def test_adaptive_error_by_hand():
    # 60 examples give three bins of 20; gaps of .1, .2 and 0, though the first and the second lie in one bin of equal width.
    confidences = [0.61] * 20 + [0.64] * 20 + [0.9] * 20
    right = [True] * 10 + [False] * 10 + [True] * 17 + [False] * 3 + [True] * 18 + [False] * 2
    predictions = with_confidences(confidences, right)
    assert adaptive_calibration_error(predictions).value == pytest.approx((0.11 + 0.21 + 0.0) / 3, abs=1e-6)
    assert expected_calibration_error(predictions).value == pytest.approx((0.05 * 2) / 3, abs=1e-6)
    backwards = Predictions(predictions.logits.flip(0), predictions.targets.flip(0), predictions.index)
    assert adaptive_calibration_error(backwards).value == pytest.approx(0.32 / 3, abs=1e-6)


def test_adaptive_error_does_not_depend_on_the_order_of_equal_confidences():
    assert adaptive_calibration_error(with_confidences([0.75] * 300, [True] * 225 + [False] * 75)).value == pytest.approx(
        0, abs=1e-6
    )


def test_adaptive_error_of_few_examples_is_the_gap_of_the_means():
    predictions = with_confidences([0.6, 0.7, 0.8], [True, False, True])
    assert adaptive_calibration_error(predictions).value == pytest.approx(0.7 - 2 / 3, abs=1e-6)


def test_adaptive_error_without_examples_is_nan_and_a_bin_is_needed(random_predictions):
    assert math.isnan(adaptive_calibration_error(predictions_of(torch.empty(0, 3), [])).value)
    with pytest.raises(ValueError, match="at least 1"):
        adaptive_calibration_error(random_predictions, bins=0)
