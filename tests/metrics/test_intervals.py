import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.metrics.intervals import Z_95, mean_interval, median_interval, student_t, wilson


def test_wilson_gives_the_values_of_newcombe_1998():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    published = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0.0, 0.1611), (1, 29): (0.0061, 0.1718)}
    for (successes, n), bounds in published.items():
        metric = wilson(successes, n)
        assert (metric.low, metric.high) == pytest.approx(bounds, abs=5e-5)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_bounds_solve_the_score_equation(case):
    successes, n = case
    metric = wilson(successes, n)
    assert 0 <= metric.low <= metric.value <= metric.high <= 1
    for bound in (metric.low, metric.high):
        distance = (metric.value - bound) ** 2
        assert distance == pytest.approx(Z_95**2 * bound * (1 - bound) / n, rel=1e-6, abs=1e-14)


def test_wilson_says_what_it_rests_on():
    assert (wilson(3, 4).n, wilson(3, 4).method) == (4, "wilson")


def test_wilson_of_nothing_is_nan_without_bounds():
    metric = wilson(0, 0)
    assert math.isnan(metric.value)
    assert (metric.low, metric.high, metric.n, metric.method) == (None, None, 0, None)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="successes must lie in"):
        wilson(successes, n)


def test_student_t_agrees_with_scipy():
    from scipy.special import stdtrit

    for degrees in [*range(1, 60), 100, 1000, 10**6]:
        assert student_t(degrees) == pytest.approx(stdtrit(degrees, 0.975), abs=1e-4)


def test_student_t_needs_a_degree_of_freedom():
    with pytest.raises(ValueError, match="at least 1"):
        student_t(0)


def test_mean_interval_of_two_values_is_closed_form():
    # The sample deviation of (0, 2) is √2, its standard error 1, so the half width is t(1).
    metric = mean_interval([0.0, 2.0])
    assert (metric.value, metric.n, metric.method) == (1.0, 2, "t")
    assert metric.high - 1 == pytest.approx(12.706205)
    assert 1 - metric.low == pytest.approx(12.706205)


def test_mean_interval_agrees_with_scipy():
    from scipy import stats

    values = [0.981, 0.984, 0.979, 0.986, 0.983]
    low, high = stats.t.interval(0.95, 4, loc=sum(values) / 5, scale=stats.sem(values))
    metric = mean_interval(values)
    assert (metric.low, metric.high) == pytest.approx((low, high), abs=1e-7)


def test_mean_interval_takes_a_tensor_and_computes_in_float64():
    metric = mean_interval(torch.tensor([1e8, 1e8 + 8], dtype=torch.float32))
    assert metric.value == 1e8 + 4


def test_mean_of_one_value_has_no_bounds():
    metric = mean_interval([0.5])
    assert (metric.value, metric.low, metric.high, metric.n, metric.method) == (0.5, None, None, 1, None)


def test_mean_of_nothing_is_nan():
    assert math.isnan(mean_interval([]).value)


def test_a_non_finite_value_leaves_no_bounds():
    metric = mean_interval([1.0, math.inf])
    assert metric.value == math.inf
    assert metric.low is metric.high is None


def test_the_medians_bounds_are_order_statistics_that_cover_it_often_enough():
    # P(X(l) <= median <= X(n+1-l)) is the binomial chance of l … n-l values below it.
    for n in [*range(6, 60), 100, 999]:
        metric = median_interval(list(range(n)))
        assert metric.value == (n - 1) / 2
        below = round(metric.low)
        assert metric.high == n - 1 - below
        assert sum(math.comb(n, count) for count in range(below + 1, n - below)) / 2**n >= 0.95


def test_few_values_have_a_median_without_bounds():
    assert median_interval([3.0, 1.0]).value == 2.0
    assert median_interval([1.0] * 5).low is None
    assert math.isnan(median_interval([]).value)
