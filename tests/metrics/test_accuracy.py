import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from dlcli.contracts import Predictions
from dlcli.metrics.accuracy import accuracy, confusion_matrix, per_class, top_k_accuracy
from dlcli.metrics.intervals import wilson


def predictions_of(logits, targets):
    logits = torch.as_tensor(logits, dtype=torch.float32)
    return Predictions(logits, torch.as_tensor(targets, dtype=torch.int64), torch.arange(len(logits)))


@pytest.fixture
def random_predictions():
    generator = torch.Generator().manual_seed(3)
    targets = torch.randint(7, (400,), generator=generator)
    logits = torch.randn(400, 7, generator=generator) + 1.5 * torch.nn.functional.one_hot(targets, 7)
    return predictions_of(logits, targets)


def test_accuracy_is_the_share_of_right_answers():
    assert accuracy(predictions_of([[2, 1], [0, 1], [3, 0], [1, 0]], [0, 1, 1, 0])) == wilson(3, 4)


def test_one_binary_logit_says_class_one_where_it_is_positive():
    assert accuracy(predictions_of([[0.1], [-0.1], [4.0]], [1, 0, 0])) == wilson(2, 3)


def test_top_k_agrees_with_scikit_learn(random_predictions):
    for k in range(1, 7):
        expected = sklearn_metrics.top_k_accuracy_score(random_predictions.targets, random_predictions.logits, k=k)
        assert top_k_accuracy(random_predictions, k).value == pytest.approx(expected, abs=1e-12)


def test_top_one_is_accuracy_also_with_equal_logits():
    tied = predictions_of(torch.zeros(6, 3), [0, 1, 2, 0, 1, 2])
    assert top_k_accuracy(tied, 1) == accuracy(tied)


def test_a_constant_model_has_k_of_p_classes_right():
    tied = predictions_of(torch.zeros(10, 10), range(10))
    assert top_k_accuracy(tied, 3) == wilson(3, 10)


def test_top_p_is_always_right(random_predictions):
    assert top_k_accuracy(random_predictions, 7).value == 1


@pytest.mark.parametrize("k", [0, 8])
def test_top_k_refuses_other_k(random_predictions, k):
    with pytest.raises(ValueError, match=r"k must lie in \[1, 7\]"):
        top_k_accuracy(random_predictions, k)


def test_confusion_rows_are_the_truth():
    matrix = confusion_matrix(predictions_of([[0, 0, 5], [0, 5, 0], [5, 0, 0]], [0, 1, 0]), 3)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert matrix.dtype == torch.int64


def test_confusion_agrees_with_scikit_learn(random_predictions):
    predicted = random_predictions.logits.argmax(dim=1)
    expected = sklearn_metrics.confusion_matrix(random_predictions.targets, predicted, labels=range(7))
    assert np.array_equal(confusion_matrix(random_predictions, 7).numpy(), expected)


def test_confusion_of_one_logit_has_two_classes():
    assert confusion_matrix(predictions_of([[1.0], [-1.0], [1.0]], [1, 1, 0]), 2).tolist() == [[0, 1], [1, 1]]


def test_confusion_of_nothing_is_zero():
    assert confusion_matrix(predictions_of(torch.zeros(0, 3), []), 3).tolist() == [[0] * 3] * 3


@pytest.mark.parametrize("target", [-1, 3])
def test_confusion_refuses_a_target_that_is_no_class(target):
    with pytest.raises(ValueError, match=r"every target must lie in \[0, 3\)"):
        confusion_matrix(predictions_of(torch.zeros(2, 3), [0, target]), 3)


def test_per_class_scores_agree_with_scikit_learn(random_predictions):
    scores = per_class(confusion_matrix(random_predictions, 7))
    predicted = random_predictions.logits.argmax(dim=1)
    expected = sklearn_metrics.precision_recall_fscore_support(random_predictions.targets, predicted, labels=range(7))
    for ours, theirs in zip((scores.precision, scores.recall, scores.f1), expected, strict=False):
        assert np.allclose(ours.numpy(), theirs, atol=1e-12)


def test_zero_by_zero_is_nan():
    # Class 0 right; class 1 present, never predicted; class 2 predicted, never present; class 3 neither.
    scores = per_class(torch.tensor([[2, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    assert scores.precision.isnan().tolist() == [False, True, False, True]
    assert scores.recall.isnan().tolist() == [False, False, True, True]
    assert scores.f1.isnan().tolist() == [False, False, False, True]
    assert scores.f1[:3].tolist() == [2 * 2 / (3 + 3), 0.0, 0.0]
