"""Intervals for calibration errors, in simulation with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.gap_interval import calibrated_gap, gap_interval


def drawn(random, *, count, slope, bins=15):
    """Counts, gaps and chances of bins; what comes true has the log-odds of the chance times ``slope``."""
    chance = random.beta(4, 2, count)
    truth = 1 / (1 + np.exp(-slope * np.log(chance / (1 - chance))))
    place = np.minimum((chance * bins).astype(int), bins - 1)
    hits = random.random(count) < truth
    counts = np.bincount(place, minlength=bins)
    kept = counts > 0
    sums = [np.bincount(place, weights=values, minlength=bins)[kept] for values in (chance, hits, truth)]
    means = [total / counts[kept] for total in sums]
    return counts[kept].astype(float), means[1] - means[0], means[0], means[2] - means[0]


@pytest.mark.full
@pytest.mark.parametrize(("slope", "count"), [(1.0, 500), (0.8, 500), (0.5, 5000)])
def test_intervals_hold_the_true_error_as_often_as_they_say(slope, count):
    random = np.random.default_rng(0)
    counts, _, _, bias = drawn(random, count=2_000_000, slope=slope)
    truth = float((counts * np.abs(bias)).sum() / counts.sum())
    held = 0
    for _ in range(100):
        low, high = gap_interval(*drawn(random, count=count, slope=slope)[:3])
        held += low <= truth <= high
    assert 0.88 <= held / 100 <= 1


def test_a_calibrated_model_reaches_down_to_zero_and_stays_near_what_it_should_have():
    random = np.random.default_rng(1)
    lows, sums, expected, highest = [], [], [], []
    for _ in range(60):
        counts, gaps, chances, _ = drawn(random, count=1000, slope=1.0)
        lows.append(gap_interval(counts, gaps, chances)[0])
        sums.append(float((counts * np.abs(gaps)).sum() / counts.sum()))
        mean, high = calibrated_gap(counts, chances)
        expected.append(mean)
        highest.append(high)
    assert np.mean(np.array(lows) == 0) > 0.85
    assert np.mean(sums) == pytest.approx(np.mean(expected), rel=0.1)
    assert np.mean(np.array(sums) <= np.array(highest)) > 0.9


def test_the_observed_error_lies_in_its_interval_and_one_bin_is_enough():
    low, high = gap_interval(np.array([100.0]), np.array([-0.2]), np.array([0.9]))
    assert 0 < low < 0.2 < high < 0.35


def test_a_sure_and_right_model_has_no_error_but_is_not_certain():
    low, high = gap_interval(np.array([50.0]), np.array([0.0]), np.array([1.0]))
    assert (low, high) == (0.0, 0.0)
    low, high = gap_interval(np.array([50.0]), np.array([0.01]), np.array([0.99]))
    assert low == 0.0
    assert 0 < high < 0.1


def test_an_error_below_what_chance_makes_proves_no_miscalibration():
    # A hundredth of the gap that fifty examples a bin show by chance.
    low, high = gap_interval(np.full(10, 50.0), np.full(10, 5e-4) * (-1) ** np.arange(10), np.linspace(0.3, 0.9, 10))
    assert low == 0.0
    assert high >= calibrated_gap(np.full(10, 50.0), np.linspace(0.3, 0.9, 10))[1]
