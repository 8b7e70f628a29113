"""Temperature and thresholds against closed forms and brute force."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.contracts import Predictions
from dlcli.metrics.temperature import fitted_temperature, fitted_thresholds


def predictions(logits: torch.Tensor, targets: torch.Tensor) -> Predictions:
    return Predictions(logits, targets, torch.arange(len(targets)))


def test_the_temperature_of_a_model_that_always_says_the_same_has_a_closed_form():
    # Right 3 times of 4 with logit gap 4: the likelihood is best where sigmoid(4 / T) = 3/4, so T = 4 / log 3.
    logits = torch.tensor([[0.0, 4.0]]).repeat(4, 1)
    assert fitted_temperature(predictions(logits, torch.tensor([1, 1, 1, 0]))) == pytest.approx(4 / math.log(3), rel=1e-6)


def test_scaling_the_logits_scales_the_temperature():
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(200, 5, generator=generator), torch.randint(5, (200,), generator=generator)
    logits[torch.arange(200), targets] += 1.0
    once = fitted_temperature(predictions(logits, targets))
    assert fitted_temperature(predictions(3 * logits, targets)) == pytest.approx(3 * once, rel=1e-5)


def test_one_binary_logit_gives_the_temperature_of_its_two_classes():
    logits, targets = torch.tensor([[2.0], [-1.0], [3.0], [1.0]]), torch.tensor([1, 0, 0, 1])
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    assert fitted_temperature(predictions(logits, targets)) == pytest.approx(fitted_temperature(predictions(two, targets)))


def test_no_predictions_have_no_temperature():
    with pytest.raises(ValueError, match="no predictions"):
        fitted_temperature(predictions(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]), st.booleans()), min_size=2, max_size=12))
def test_no_other_threshold_does_better(rows):
    logits, targets = torch.tensor([[z] for z, _ in rows]), torch.tensor([int(y) for _, y in rows])
    found = fitted_thresholds(predictions(logits, targets))
    if not 0 < int(targets.sum()) < len(targets):
        assert not {"balanced_accuracy", "f1"} & set(found)
        return
    chances = logits[:, 0].double().sigmoid()

    def scores(threshold: float) -> tuple[float, float]:
        said, truth = chances >= threshold, targets == 1
        hits = int((said & truth).sum())
        balanced = (hits / int(truth.sum()) + int((~said & ~truth).sum()) / int((~truth).sum())) / 2
        return balanced, 2 * hits / (int(said.sum()) + int(truth.sum()))

    candidates = [scores(value) for value in [*chances.tolist()]]
    assert scores(found["balanced_accuracy"])[0] == pytest.approx(max(balanced for balanced, _ in candidates))
    assert scores(found["f1"])[1] == pytest.approx(max(f1 for _, f1 in candidates))


def test_a_threshold_needs_two_classes():
    with pytest.raises(ValueError, match="two classes, got 3"):
        fitted_thresholds(predictions(torch.zeros(2, 3), torch.tensor([0, 1])))


def test_a_capacity_selects_as_many_as_it_can_and_no_more():
    logits = torch.arange(40.0)[:, None]
    found = fitted_thresholds(predictions(logits / 40, torch.arange(40) % 2))
    chances = (logits / 40).double().sigmoid()[:, 0]
    assert [int((chances >= found[f"top_{share}"]).sum()) for share in (5, 10, 20)] == [2, 4, 8]


def test_a_capacity_that_equal_chances_exceed_has_no_threshold():
    logits = torch.tensor([[3.0]] * 3 + [[0.0]] * 17)
    found = fitted_thresholds(predictions(logits, torch.tensor([1] * 4 + [0] * 16)))
    assert "top_10" not in found
    assert 0.5 < found["top_20"] < torch.tensor(3.0).sigmoid()
