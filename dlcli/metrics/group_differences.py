"""The largest difference between groups, with an interval that allows for its having been picked, and a p-value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcli.contracts import Metric
from dlcli.metrics.group_rates import Array, Rates

_ROUNDING = 1e-12
_REACH = 2.5


@dataclass(frozen=True)
class Difference:
    """A difference between two groups, the largest there is.

    Args:
        p: how often groups that differ by chance alone differ as much; None where nothing was compared.
        between: names of the group with the higher and with the lower rate.
        what: the measure, and the class that it is of (a number), None where it is of none.
        left_out: names of the groups that have too few examples to take part.
    """

    metric: Metric
    p: float | None = None
    between: tuple[str, str] | None = None
    what: tuple[str, int | None] = ("", None)
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for ``groups.json``."""
        measure, number = self.what
        return {
            **self.metric.to_dict(),
            "p": self.p,
            "between": list(self.between) if self.between else None,
            "measure": measure or None,
            "class": number,
            "left_out": list(self.left_out),
        }


@dataclass(frozen=True, eq=False)
class _Contrasts:
    """Signed differences of every two groups, both ways round: of the groups, float64 (M,), and of their resamples, (B, M)."""

    values: Array
    drawn: Array
    labels: Sequence[tuple[str, int, int, int]]  # measure, class, first group, second group


def largest_difference(
    values: Mapping[str, Array],
    drawn: Rates,
    dealt: Rates,
    *,
    enough: Mapping[str, Array],
    names: Sequence[str],
    sizes: Array,
    method: str,
) -> Difference:
    """Returns the largest difference between two groups over some measures and classes.

    The largest of several differences tends to lie above the largest true one, most of all where the groups are alike, and
    percentiles of its resamples double that: with three like groups they never held the truth, 0. Here the lower bound is the
    highest of the simultaneous lower bounds of all differences that reach the largest within 2.5 of their standard errors
    (2.5 % that any of these lies above its truth), and the upper bound is the largest of all their percentiles.
    ``benchmarks/fairness_coverage.py`` measures how often it holds true differences, and 0 where groups are alike. There are
    no bounds where no resample differs from the groups themselves.
    Source of simultaneous bounds by resampling: Romano and Wolf 2005, "Exact and approximate stepdown methods for multiple
    hypothesis testing"; of leaving out what is far below: Andrews and Soares 2010, "Inference for parameters defined by moment
    inequalities using generalized moment selection".

    Args:
        values: of the groups, (G, C) by measure. drawn, dealt: resampled and shuffled, (B, G, C).
        enough: which groups take part, bool (G, C).
        sizes: examples of each group, int64 (G,).
    """
    contrasts = _contrasts(values, drawn, enough)
    some = np.any([mask.any(axis=1) for mask in enough.values()], axis=0)
    n = int(sizes[some].sum())
    left_out = tuple(name for name, in_it in zip(names, some, strict=True) if not in_it)
    if not contrasts.labels:
        return Difference(Metric(math.nan, n=n), left_out=left_out)
    best = int(contrasts.values.argmax())
    value = float(contrasts.values[best])
    measure, number, first, second = contrasts.labels[best]
    low, high = _bounds(contrasts, best)
    metric = Metric(value, n=n) if low is None else Metric(value, low, high, n, method)
    by_chance = np.max([_range(dealt[name], mask) for name, mask in enough.items()], axis=0)
    p = float((1 + (by_chance >= value - _ROUNDING).sum()) / (1 + len(by_chance)))
    of_class = number if values[measure].shape[1] > 1 else None
    return Difference(metric, p, (names[first], names[second]), (measure, of_class), left_out)


def ratio_of(difference: Difference, values: Array, drawn: Array, *, names: Sequence[str], sizes: Array) -> Difference:
    """Returns the lowest rate divided by the highest, of the groups whose difference this is; NaN where nobody is selected.

    The interval is that of the difference of logarithms, made alike; half an example is added to each count there, so that a rate
    of 0 has a logarithm. The p-value is that of the difference: both ask whether the rates are equal.

    Args:
        values: rates of the groups, (G,). drawn: resampled, (B, G). sizes: examples of each group, (G,).
    """
    if difference.between is None:
        return difference
    taking_part = np.array([name not in difference.left_out for name in names])
    high, low = float(values[taking_part].max()), float(values[taking_part].min())
    value = low / high if high > 0 else math.nan

    def logarithm(rates: Array) -> Array:
        return np.asarray(np.log((rates * sizes + 0.5) / (sizes + 1)))[..., None]

    contrasts = _contrasts({"ratio": logarithm(values)}, {"ratio": logarithm(drawn)}, {"ratio": taking_part[:, None]})
    below, above = _bounds(contrasts, int(contrasts.values.argmax()))
    if below is None or above is None or math.isnan(value):
        return replace(difference, metric=Metric(value, n=difference.metric.n))
    bounds = min(value, math.exp(-above)), max(value, math.exp(-below))
    return replace(difference, metric=Metric(value, *bounds, difference.metric.n, difference.metric.method))


def signed_difference(one: Metric, other: Metric) -> Metric:
    """Returns ``one`` minus ``other``, two figures of different examples, with an interval made of theirs.

    The distances of the two bounds are added as squares; of two shares with Wilson's intervals that is Newcombe's interval.
    Source: Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10; for other figures
    Zou and Donner 2008, "Construction of confidence limits about effect measures".
    """
    value, n = one.value - other.value, (one.n or 0) + (other.n or 0)
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Metric(value, n=n)
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Metric(value, low, high, n, "mover")


def _contrasts(values: Mapping[str, Array], drawn: Rates, enough: Mapping[str, Array]) -> _Contrasts:
    labels = [
        (name, number, int(first), int(second))
        for name, mask in enough.items()
        for number in range(mask.shape[1])
        for first in np.flatnonzero(mask[:, number])
        for second in np.flatnonzero(mask[:, number])
        if first != second
    ]
    if not labels:
        return _Contrasts(np.empty(0), np.empty((0, 0)), ())
    differences = np.array([values[name][first, number] - values[name][second, number] for name, number, first, second in labels])
    columns = [drawn[name][:, first, number] - drawn[name][:, second, number] for name, number, first, second in labels]
    resampled = np.stack(columns, axis=1)
    # A resample may lack a class: it then says nothing about the rates of that class.
    return _Contrasts(differences, np.where(np.isnan(resampled), differences, resampled), labels)


def _bounds(contrasts: _Contrasts, best: int) -> tuple[float | None, float | None]:
    values, drawn = contrasts.values, contrasts.drawn
    errors = drawn.std(axis=0)
    if errors[best] == 0:
        return None, None
    value = float(values[best])
    near = (values + _REACH * errors >= value) & (errors > 0)
    studentised = ((drawn - values)[:, near] / errors[near]).max(axis=1)
    low = float((values - np.quantile(studentised, 0.975) * errors)[near].max())
    # The largest of the upper bounds: another contrast, less surely known, may be the one that is truly largest.
    high = float(np.quantile(drawn, 0.975, axis=0).max())
    return min(max(low, 0.0), value), max(high, value)


def _range(rates: Array, enough: Array) -> Array:
    """The largest difference between groups over the classes, of each shuffling: (B,)."""
    masked = np.where(enough, rates, np.nan)
    several = enough.sum(axis=0) > 1
    if not several.any():
        return np.zeros(len(rates))
    ranges = np.nanmax(masked[:, :, several], axis=1) - np.nanmin(masked[:, :, several], axis=1)
    return np.asarray(np.nanmax(ranges, axis=1))
