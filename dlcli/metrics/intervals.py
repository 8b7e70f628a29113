"""95 % intervals for shares and means."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from dlcli.contracts import Metric

Z_95 = 1.959964

# Two-sided 95 % quantiles of Student's t for 1 to 12 degrees of freedom; above, the expansion errs by less than 1e-4.
_STUDENT_T = (
    12.706205,
    4.302653,
    3.182446,
    2.776445,
    2.570582,
    2.446912,
    2.364624,
    2.306004,
    2.262157,
    2.228139,
    2.200985,
    2.178813,
)


def wilson(successes: int, n: int) -> Metric:
    """Returns the share ``successes / n`` with Wilson's score interval; NaN without bounds where ``n`` is 0.

    Unlike value ± z·error, the interval stays inside [0, 1] and has a width at 0 and n successes.
    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Raises:
        ValueError: unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in [0, n], got {successes} of {n}")
    if n == 0:
        return Metric(math.nan, n=0)
    share = successes / n
    shrink = 1 + Z_95**2 / n
    center = (share + Z_95**2 / (2 * n)) / shrink
    half = Z_95 / shrink * math.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n**2))
    # At 0 and n successes the bound equals the share exactly; rounding must not put it on the wrong side.
    low = 0.0 if successes == 0 else center - half
    high = 1.0 if successes == n else center + half
    return Metric(share, low, high, n, "wilson")


def student_t(degrees: int) -> float:
    """Returns the two-sided 95 % quantile of Student's t, to 1e-4.

    A table to 12 degrees of freedom, then the expansion of Abramowitz and Stegun 1964, eq. 26.7.5.
    """
    if degrees < 1:
        raise ValueError(f"degrees of freedom must be at least 1, got {degrees}")
    if degrees <= len(_STUDENT_T):
        return _STUDENT_T[degrees - 1]
    z = Z_95
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def mean_interval(values: Sequence[float] | Tensor) -> Metric:
    """Returns the mean of independent ``values`` (seeds, folds, examples) with Student's t interval.

    One value has no bounds; none gives NaN. A non-finite value makes the mean non-finite and leaves no bounds.
    """
    numbers = torch.as_tensor(values, dtype=torch.float64).flatten()
    n = len(numbers)
    if n == 0:
        return Metric(math.nan, n=0)
    mean = float(numbers.mean())
    if n == 1 or not math.isfinite(mean):
        return Metric(mean, n=n)
    half = student_t(n - 1) * float(numbers.std()) / math.sqrt(n)
    return Metric(mean, mean - half, mean + half, n, "t")


def median_interval(values: Sequence[float] | Tensor) -> Metric:
    """Returns the median of independent ``values`` with the order statistics that enclose it whatever their distribution.

    The ranks are n/2 ± z·√n/2, rounded outwards (Conover 1999, "Practical nonparametric statistics", §3.2). Fewer than six
    values have no bounds, as not even all of them enclose the median often enough; none gives NaN.
    """
    numbers = torch.as_tensor(values, dtype=torch.float64).flatten().sort().values
    n = len(numbers)
    if n == 0:
        return Metric(math.nan, n=0)
    middle = float((numbers[(n - 1) // 2] + numbers[n // 2]) / 2)
    if n < 6 or not math.isfinite(float(numbers.sum())):
        return Metric(middle, n=n)
    low = max(math.floor(n / 2 - Z_95 * math.sqrt(n) / 2), 1)  # ranks from 1
    return Metric(middle, float(numbers[low - 1]), float(numbers[n - low]), n, "order statistics")
