"""The difference of two accuracies on the same examples."""

import math

import pytest
import torch

from dlcli.metrics.difference import difference_interval
from dlcli.metrics.intervals import wilson
from dlcli.metrics.paired import mcnemar, paired_difference


def outcomes(both: int, only_first: int, only_second: int, neither: int) -> tuple[torch.Tensor, torch.Tensor]:
    first = torch.tensor([1] * both + [1] * only_first + [0] * only_second + [0] * neither).bool()
    second = torch.tensor([1] * both + [0] * only_first + [1] * only_second + [0] * neither).bool()
    return first, second


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # (both, only second, only first, neither) and the bounds of the difference: Newcombe 1998, Table III, method 10.
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((20, 12, 2, 16), (0.0562, 0.3292)),
        ((18, 14, 0, 18), (0.1441, 0.3963)),
        ((1, 97, 1, 1), (0.8736, 0.9850)),
        ((0, 30, 0, 0), (0.8395, 1.0)),
        ((54, 0, 0, 0), (-0.0664, 0.0664)),
        ((30, 0, 0, 24), (-0.0358, 0.0358)),
    ],
)
def test_bounds_are_those_of_the_paper(table: tuple[int, int, int, int], expected: tuple[float, float]) -> None:
    both, only_second, only_first, neither = table
    found = paired_difference(*outcomes(both, only_first, only_second, neither))
    assert found.value == pytest.approx((only_second - only_first) / sum(table))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-4)


def test_unrelated_outcomes_have_the_interval_of_independent_shares() -> None:
    first, second = outcomes(24, 36, 16, 24)  # 60 % and 40 %, as often together as chance has it
    found = paired_difference(first, second)
    independent = difference_interval(wilson(60, 100).to_dict(), wilson(40, 100).to_dict())
    assert independent is not None
    assert (found.low, found.high) == pytest.approx((independent.low, independent.high), abs=1e-9)


def test_the_same_classifier_twice_differs_by_nothing_and_surely_so() -> None:
    right = torch.arange(100) < 80
    found = paired_difference(right, right)
    assert found.value == 0
    independent = difference_interval(wilson(80, 100).to_dict(), wilson(80, 100).to_dict())
    assert independent is not None
    assert independent.high is not None
    assert found.high is not None
    assert found.high < independent.high / 3


def test_swapping_the_two_turns_the_interval_round() -> None:
    first, second = outcomes(70, 5, 15, 10)
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


def test_intervals_hold_the_true_difference_nineteen_times_in_twenty() -> None:
    rng = torch.Generator().manual_seed(0)
    hits, draws, count = 0, 2000, 200
    for _ in range(draws):
        kind = torch.multinomial(torch.tensor([0.80, 0.05, 0.10, 0.05]), count, replacement=True, generator=rng)
        found = paired_difference((kind == 0) | (kind == 1), (kind == 0) | (kind == 2))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.05 <= found.high
    assert 0.935 <= hits / draws <= 0.98


@pytest.mark.parametrize("size", [0, 3])
def test_outcomes_that_do_not_belong_together_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="two equally long outcomes"):
        paired_difference(torch.ones(size).bool(), torch.ones(2 if size else 0).bool())


def test_extremes_stay_inside_one() -> None:
    found = paired_difference(torch.zeros(5).bool(), torch.ones(5).bool())
    assert found.value == 1
    assert found.high == 1
    assert not math.isnan(found.low or math.nan)


@pytest.mark.parametrize("table", [(50, 3, 12, 5), (10, 0, 6, 0), (0, 7, 7, 3), (900, 40, 65, 20)])
def test_mcnemar_is_a_binomial_test_of_the_examples_on_which_the_two_differ(table):
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    _, only_first, only_second, _ = table
    expected = stats.binomtest(only_first, only_first + only_second).pvalue
    assert mcnemar(*outcomes(*table)) == pytest.approx(expected, rel=1e-9)


def test_two_that_never_differ_cannot_be_told_apart():
    assert mcnemar(*outcomes(5, 0, 0, 2)) == 1.0


def test_mcnemar_of_many_examples_does_not_overflow():
    assert 0 < mcnemar(*outcomes(0, 5000, 5400, 0)) < 1e-3


def test_mcnemar_wants_two_equally_long_outcomes():
    with pytest.raises(ValueError, match="equally long"):
        mcnemar(torch.ones(3, dtype=torch.bool), torch.ones(4, dtype=torch.bool))
