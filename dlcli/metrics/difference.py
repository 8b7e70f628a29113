"""The difference of two figures with its 95 % interval, from the two intervals alone. No torch: ``dl runs`` answers at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """What a figure changed by.

    Args:
        value: second less first.
        low, high: the 95 % interval of ``value``; None where one of the figures has no interval.
        method: "newcombe" for two shares with Wilson's intervals, "mover" for other intervals, or None.
        overlap: whether the intervals of the two figures overlap; None where one has none.
    """

    value: float
    low: float | None = None
    high: float | None = None
    method: str | None = None
    overlap: bool | None = None

    @property
    def is_distinguishable(self) -> bool | None:
        """Whether the interval leaves out 0; None without one."""
        return None if self.low is None or self.high is None else not self.low <= 0 <= self.high

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data."""
        own = {"value": self.value, "low": self.low, "high": self.high, "method": self.method}
        return {**own, "overlap": self.overlap, "distinguishable": self.is_distinguishable}


def difference_interval(first: Mapping[str, Any], second: Mapping[str, Any]) -> Difference | None:
    """Returns ``second`` less ``first``, two entries of ``result.json``; None where one has no value.

    The two are taken as independent. Figures of the same examples mostly err on the same ones, and then the true interval
    is narrower. The square-and-add rule is Newcombe 1998, "Interval estimation for the difference between independent
    proportions", method 10, for shares with Wilson's intervals; Zou and Donner 2008 show it for others (MOVER).
    """
    one, other = first["value"], second["value"]
    if one is None or other is None:
        return None
    bounds = [entry[name] for entry in (first, second) for name in ("low", "high")]
    if None in bounds:
        return Difference(other - one)
    low_one, high_one, low_other, high_other = map(float, bounds)
    low = other - one - math.hypot(other - low_other, high_one - one)
    high = other - one + math.hypot(high_other - other, one - low_one)
    method = "newcombe" if first.get("method") == second.get("method") == "wilson" else "mover"
    return Difference(other - one, low, high, method, low_one <= high_other and low_other <= high_one)
