"""Certified radii from votes: closed forms, and scipy's binomial distribution as the judge."""

from __future__ import annotations

import math

import pytest
import torch

from dlcli.metrics.smoothing import certified_accuracy, certified_radii, clopper_pearson_low, confident_classes


def test_all_successes_give_the_nth_root_of_alpha():
    assert clopper_pearson_low(torch.tensor([100]), 100, alpha=0.001).item() == pytest.approx(0.001 ** (1 / 100), rel=1e-12)


def test_no_success_proves_nothing_and_one_gives_its_closed_form():
    low = clopper_pearson_low(torch.tensor([0, 1]), 50, alpha=0.05)
    # P(Bin(n, p) >= 1) = 1 - (1 - p)^n.
    assert low.tolist() == pytest.approx([0.0, 1 - 0.95 ** (1 / 50)])


@pytest.mark.parametrize(("successes", "n", "alpha"), [(7, 10, 0.05), (990, 1000, 0.001), (512, 1000, 0.01)])
def test_the_bound_is_where_so_many_successes_have_probability_alpha(successes, n, alpha):
    stats = pytest.importorskip("scipy.stats")
    low = clopper_pearson_low(torch.tensor([successes]), n, alpha=alpha).item()
    assert stats.binom.sf(successes - 1, n, low) == pytest.approx(alpha, rel=1e-6)


@pytest.mark.parametrize("true", [0.3, 0.9])
def test_the_bound_holds_as_often_as_promised(true):
    draws = torch.distributions.Binomial(200, torch.tensor(true)).sample((20_000,)).long()
    exceeded = (clopper_pearson_low(draws, 200, alpha=0.05) > true).double().mean().item()
    assert exceeded <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 20_000)


@pytest.mark.parametrize("wrong", [{"n": 5}, {"n": 0}, {"alpha": 0.0}])
def test_what_is_no_vote_is_refused(wrong):
    with pytest.raises(ValueError, match="successes"):
        clopper_pearson_low(torch.tensor([6]), **{"n": 10, "alpha": 0.1, **wrong})


def test_a_radius_is_sigma_times_the_normal_quantile_of_the_bound():
    low = 0.001 ** (1 / 1000)
    radius = certified_radii(torch.tensor([1000]), 1000, sigma=0.25, alpha=0.001).item()
    assert 0.5 * math.erfc(-radius / 0.25 / math.sqrt(2)) == pytest.approx(low, rel=1e-9)


def test_who_is_not_proven_to_lead_abstains():
    radii = certified_radii(torch.tensor([500, 520, 600]), 1000, sigma=1.0, alpha=0.001)
    assert radii[:2].tolist() == [-math.inf, -math.inf]
    assert radii[2] > 0
    assert confident_classes(torch.tensor([[480, 520], [600, 400], [0, 1000]]), alpha=0.001).tolist() == [-1, 0, 1]
    assert confident_classes(torch.zeros(0, 3, dtype=torch.int64), alpha=0.001).tolist() == []


def test_a_class_is_wrongly_said_to_have_more_than_half_no_more_often_than_promised():
    stats = pytest.importorskip("scipy.stats")
    n, alpha = 500, 0.01
    first = torch.arange(n + 1)
    answered = confident_classes(torch.stack([first, n - first], dim=1), alpha=alpha) != -1
    # Both classes have just half, so every answer is wrong.
    assert 0.5 * alpha < stats.binom.pmf(first.numpy(), n, 0.5)[answered.numpy()].sum() <= alpha


def test_only_the_right_ones_are_certified_and_ever_fewer():
    radii, right = torch.tensor([0.3, 0.1, -math.inf, 0.5]), torch.tensor([True, True, True, False])
    assert [certified_accuracy(radii, right, radius).value for radius in (0.0, 0.1, 0.2, 0.4)] == [0.5, 0.5, 0.25, 0.0]
    assert certified_accuracy(radii, right, 0.0).method == "wilson"
