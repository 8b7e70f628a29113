import numpy as np
import pytest
import torch

from dlcli.contracts import Predictions
from dlcli.metrics.group_rates import Grouped, observed, resampled, shuffled, shuffled_within_classes


def drawn(n=400, groups=3, seed=0):
    random = np.random.default_rng(seed)
    group, target = random.integers(groups, size=n), random.integers(2, size=n)
    logits = random.normal(size=n).round(1) + target - 0.3 * group
    return Predictions(torch.tensor(logits)[:, None], torch.tensor(target), torch.arange(n)), torch.tensor(group)


def test_rates_are_those_of_the_definitions_and_areas_those_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    predictions, groups = drawn()
    rates = observed(Grouped.of(predictions, groups, 3))
    for number in range(3):
        mine = groups == number
        said, is_so = predictions.logits[mine, 0] > 0, predictions.targets[mine] == 1
        assert rates["selection_rate"][0, number, 0] == pytest.approx(float(said.double().mean()), abs=1e-12)
        assert rates["tpr"][0, number, 0] == pytest.approx(float(said[is_so].double().mean()), abs=1e-12)
        assert rates["fpr"][0, number, 0] == pytest.approx(float(said[~is_so].double().mean()), abs=1e-12)
        chance = predictions.logits[mine, 0].sigmoid()
        gap = float((chance - is_so.double()).mean())
        assert rates["calibration_gap"][0, number, 0] == pytest.approx(gap, abs=1e-12)
        area = roc_auc_score(is_so.numpy(), predictions.logits[mine, 0].numpy())
        assert rates["auroc"][0, number, 0] == pytest.approx(area, abs=1e-12)


def test_resamples_lie_around_the_rates_as_a_binomial_would():
    sample = Grouped.of(*drawn(), 3)
    rates, again = observed(sample), resampled(sample, 2000)
    share = rates["selection_rate"][0, :, 0]
    expected = np.sqrt(share * (1 - share) / sample.sizes.sum(axis=1))
    assert again["selection_rate"].mean(axis=0)[:, 0] == pytest.approx(share, abs=0.005)
    assert again["selection_rate"].std(axis=0)[:, 0] == pytest.approx(expected, rel=0.08)


def test_shuffling_keeps_what_it_must():
    sample = Grouped.of(*drawn(), 3)
    weights = sample.sizes.sum(axis=1)
    total = (observed(sample)["selection_rate"][0, :, 0] * weights).sum()
    assert (shuffled(sample, 50)["selection_rate"][:, :, 0] * weights).sum(axis=1) == pytest.approx(total)
    found = (observed(sample)["tpr"][0, :, 0] * sample.sizes[:, 1]).sum()
    assert (shuffled_within_classes(sample, 50)["tpr"][:, :, 0] * sample.sizes[:, 1]).sum(axis=1) == pytest.approx(found)


def test_how_many_are_looked_at_together_changes_nothing(monkeypatch):
    sample = Grouped.of(*drawn(100), 3)
    whole = resampled(sample, 30)
    monkeypatch.setattr("dlcli.metrics.group_rates._CHUNK", 700)
    assert all((resampled(sample, 30)[name].shape == whole[name].shape) for name in whole)


def test_groups_that_are_left_out_have_no_examples():
    sample = Grouped.of(*drawn(), 3).only([0, 2])
    assert sample.sizes[1].sum() == 0
    assert len(sample.truth) == sample.sizes.sum()
    assert np.isnan(observed(sample)["selection_rate"][0, 1, 0])
