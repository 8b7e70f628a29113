"""Differences of two figures, against the worked examples of Newcombe 1998, table II."""

import sys

import pytest

from dlcli.metrics.difference import difference_interval
from dlcli.metrics.intervals import wilson


def share(successes, n):
    return wilson(successes, n).to_dict()


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [((48, 80), (56, 70), 0.0524, 0.3339), ((3, 10), (9, 10), 0.1705, 0.8090), ((0, 29), (5, 56), -0.0381, 0.1926)],
)
def test_shares_have_newcombes_interval(first, second, low, high):
    difference = difference_interval(share(*first), share(*second))
    assert (difference.low, difference.high) == pytest.approx((low, high), abs=6e-5)
    assert difference.value == pytest.approx(second[0] / second[1] - first[0] / first[1])
    assert difference.method == "newcombe"
    assert difference.is_distinguishable is (low > 0)


def test_the_other_way_round_the_signs_turn():
    one = difference_interval(share(3, 10), share(9, 10))
    other = difference_interval(share(9, 10), share(3, 10))
    assert (other.value, other.low, other.high) == pytest.approx((-one.value, -one.high, -one.low))


def test_symmetric_intervals_add_in_squares():
    first, second = ({"value": v, "low": v - h, "high": v + h, "n": 9, "method": "t"} for v, h in ((1.0, 0.3), (2.0, 0.4)))
    difference = difference_interval(first, second)
    assert (difference.low, difference.high, difference.method) == (pytest.approx(0.5), pytest.approx(1.5), "mover")


def test_intervals_may_overlap_and_the_difference_still_be_clear():
    difference = difference_interval(share(900, 1000), share(925, 1000))
    assert difference.overlap is True
    assert difference.is_distinguishable is True


def test_without_intervals_there_is_a_value_alone_and_without_a_value_nothing():
    bare = {"value": 0.25, "low": None, "high": None, "n": None, "method": None}
    difference = difference_interval(bare, share(1, 2))
    assert (difference.value, difference.low, difference.is_distinguishable, difference.overlap) == (0.25, None, None, None)
    assert difference_interval({**bare, "value": None}, bare) is None


def test_the_formula_needs_no_torch(python):
    answer = python("import sys, dlcli.metrics.difference; print('torch' in sys.modules)")
    assert (answer.out, sys.modules.get("torch") is not None) == ("False\n", True)
