"""Two classifiers on the same examples: the difference of their accuracies with its 95 % interval."""

from __future__ import annotations

import math

from torch import Tensor

from dlcli.contracts import Metric
from dlcli.metrics.intervals import wilson


def paired_difference(first: Tensor, second: Tensor) -> Metric:
    """Returns the share that ``second`` has right less the share that ``first`` has, and its interval.

    Both err mostly on the same examples, so the interval is narrower than that of two independent shares: Newcombe 1998,
    "Improved confidence intervals for the difference between binomial proportions based on paired data", method 10, from
    Wilson's intervals and the correlation φ of the two outcomes.

    Args:
        first, second: whether each example is right, bool (N,), in the same order.

    Raises:
        ValueError: they are not equally long, or empty.
    """
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"expected two equally long outcomes, got {tuple(first.shape)} and {tuple(second.shape)}")
    count = len(first)
    one, other = wilson(int(first.sum()), count), wilson(int(second.sum()), count)
    assert one.low is not None and one.high is not None and other.low is not None and other.high is not None
    correlation = _correlation(first, second)
    down, up = other.value - other.low, one.high - one.value
    low = math.sqrt(max(down**2 - 2 * correlation * down * up + up**2, 0.0))
    down, up = one.value - one.low, other.high - other.value
    high = math.sqrt(max(up**2 - 2 * correlation * up * down + down**2, 0.0))
    value = other.value - one.value
    return Metric(value, max(value - low, -1.0), min(value + high, 1.0), count, "newcombe_paired")


def _correlation(first: Tensor, second: Tensor) -> float:
    """φ of the 2 x 2 table; Newcombe's continuity correction moves a positive one towards zero."""
    count = len(first)
    both = int((first & second).sum())
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    neither = count - both - only_first - only_second
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    product = both * neither - only_first * only_second
    if product > 0:
        product = max(product - count / 2, 0.0)  # type: ignore[assignment]
    return product / math.sqrt(margins)


def mcnemar(first: Tensor, second: Tensor) -> float:
    """Returns the p-value of McNemar's exact test that both are right equally often, two-sided, in (0, 1].

    Of the examples that one has right and the other wrong, each side is as likely as the other: a fair coin (McNemar 1947,
    "Note on the sampling error of the difference between correlated proportions"; exact: the binomial distribution).

    Args:
        first, second: whether each example is right, bool (N,), in the same order.

    Raises:
        ValueError: they are not equally long, or empty.
    """
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"expected two equally long outcomes, got {tuple(first.shape)} and {tuple(second.shape)}")
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    total, fewer = only_first + only_second, min(only_first, only_second)
    # In whole numbers, so that no count is too large.
    tail = sum(math.comb(total, count) for count in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**total))
