"""What ``dl explain columns`` says and writes of the weights that it measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.contracts import Metric

Measured = Mapping[str, Metric]  # by column


@dataclass(frozen=True)
class Difference:
    """How much more a column weighs in a group than outside of it."""

    group: str
    column: str
    metric: Metric

    @property
    def clear(self) -> bool:
        """Its interval does not hold zero."""
        low, high = self.metric.low, self.metric.high
        return low is not None and high is not None and not low <= 0 <= high


def difference_arrays(found: Sequence[Difference]) -> dict[str, Any]:
    """Every difference with its bounds, and what it is of; nothing without groups."""
    values = [[one.metric.value, one.metric.low, one.metric.high] for one in found]
    return {"differences": values, "difference_of": [[one.group, one.column] for one in found]} if found else {}


def csv_files(names: Sequence[str], weights: Measured, rises: Measured, groups: Sequence[Difference]) -> dict[str, bytes]:
    """``weights.csv``, and with groups ``groups.csv``."""
    measures = {"importance": weights, "permutation": rises}
    ends = ["", "_low", "_high"]
    header = ["column", *(f"{measure}{end}" for measure in measures for end in ends)]
    lines = [[name, *(cell for measure in measures.values() for cell in _cells(measure[name]))] for name in names]
    found = {"weights.csv": _csv([header, *lines])}
    if groups:
        header = ["group", "column", *(f"difference{end}" for end in ends)]
        found["groups.csv"] = _csv([header, *([one.group, one.column, *_cells(one.metric)] for one in groups)])
    return found


def _cells(metric: Metric) -> list[str]:
    return ["" if value is None else f"{value:.6f}" for value in (metric.value, metric.low, metric.high)]


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def weight_table(order: Sequence[str], weights: Measured, rises: Measured) -> list[list[str]]:
    """Returns a row for each column in ``order``, the header first."""
    header = ["column", "mean |attribution|", "rise of the loss when shuffled"]
    return [header, *([name, _cell(weights[name]), _cell(rises[name])] for name in order)]


def _cell(metric: Metric) -> str:
    bounds = "" if metric.low is None or metric.high is None else f" [{metric.low:.3f}, {metric.high:.3f}]"
    return f"{metric.value:.3f}{bounds}"


def group_tables(found: Sequence[Difference], shown: int) -> list[tuple[str, list[list[str]]]]:
    """Returns the largest clear differences as a table with its title; none where none is clear."""
    clear = sorted((one for one in found if one.clear), key=lambda one: -abs(one.metric.value))
    if not clear:
        return []
    rows = [[one.group, one.column, _cell(one.metric)] for one in clear[:shown]]
    return [("groups: differences of mean |attribution|", [["group", "column", "weighs more by"], *rows])]


def words_of(order: Sequence[str], rises: Measured, agreement: float, n: int, groups: Sequence[Difference]) -> list[str]:
    """Returns what people read of N rows, one line each.

    Args:
        order: columns by their weight, the heaviest first.
        agreement: of that order with the other one.
    """
    first = order[0]
    needed = [name for name, metric in rises.items() if (metric.low or 0) > 0]
    found = [
        f"{first} weighs most of {len(order)} columns, n = {n}; shuffling {len(needed)} of them surely costs",
        f"both orders agree to {agreement:.2f} (Spearman); where two columns say the same, shuffling one costs little",
        "what weighs in the model need not cause anything in the world",
    ]
    if groups:
        clear, chance = sum(one.clear for one in groups), len(groups) / 20
        found.insert(2, f"groups: {clear} of {len(groups)} differences exclude zero; chance alone gives about {chance:.0f}")
    return found
