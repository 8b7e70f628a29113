"""Groups of examples by their attributes: values of a column, ranges of a number, or what two columns say together.

``Gender`` is a group per value. ``Age:18-30-40-50`` is 18 to 29, 30 to 39, 40 to 49, and 50 and more; who is below 18 is in a
group of their own. ``Gender*Age:40`` is a group per pair that occurs. ``people.csv:skin`` is a column of another file, see
:mod:`dlcli.data.attributes`. What is missing is a group too, called (missing).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from dlcli.data.columns import RawColumn
from dlcli.errors import UsageError

MISSING = "(missing)"
MOST_GROUPS = 20
MOST_VALUES = 10  # different numbers that are taken as groups without edges
_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)"
_EDGES = re.compile(rf"{_NUMBER}(?:-{_NUMBER})*")
_FIRST_EDGE = re.compile(rf"({_NUMBER})(?:-|$)")
_FILE = re.compile(r"(?P<file>.*?\.csv):(?P<rest>.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Factor:
    """One column of a grouping.

    Args:
        column: its name.
        file: the CSV file that it stands in; None for the model's own data.
        edges: rising numbers where a range begins; empty to group by value.
    """

    column: str
    file: str | None = None
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Grouping:
    """One of the groupings that were asked for: its name in metrics (the columns, without files and edges), and its columns."""

    name: str
    factors: tuple[Factor, ...]


@dataclass(frozen=True, eq=False)
class Membership:
    """Which group each example belongs to.

    Args:
        column: the grouping's name.
        names: of the groups that occur, in order.
        groups: positions in ``names``, int64 (N,).
    """

    column: str
    names: tuple[str, ...]
    groups: Tensor


def parse_groups(text: str, columns: Collection[str] = ()) -> tuple[Grouping, ...]:
    """Returns what ``--groups`` asks for; a whole part that is a name in ``columns`` is that column, whatever signs it holds.

    Raises:
        UsageError: a part is empty or named twice, edges are no numbers or do not rise.
    """
    found: list[Grouping] = []
    for part in text.split(","):
        words = [part.strip()] if part.strip() in columns else [word.strip() for word in part.split("*")]
        factors = tuple(_factor(word, columns, part.strip()) for word in words)
        name = "*".join(factor.column for factor in factors)
        if len({factor.column for factor in factors}) < len(factors):
            raise UsageError(f"--groups {part.strip()}: names a column twice", hint="two different columns, as in Gender*Age:40")
        if name in [each.name for each in found]:
            raise UsageError(f"--groups names '{name}' twice", hint="one of them at a time")
        found.append(Grouping(name, factors))
    return tuple(found)


def membership(grouping: Grouping, column_of: Callable[[Factor], RawColumn]) -> Membership:
    """Returns the groups of some examples, N values in each column that ``column_of`` gives.

    Raises:
        UsageError: there is one group only, there are more than 20, or a column of many numbers has no edges.
    """
    combined, names = torch.zeros(0, dtype=torch.int64), [""]
    for factor in grouping.factors:
        codes, labels = _coded(column_of(factor), factor)
        combined = codes if len(combined) == 0 else combined * len(labels) + codes
        names = [f"{before}, {label}" if before else label for before in names for label in labels]
    present = torch.unique(combined)
    if len(present) == 1:
        only = names[int(present[0])]
        reason = f"--groups {grouping.name}: all {len(combined)} examples are {only}; expected at least two groups"
        raise UsageError(reason, hint="another column, or other edges")
    if len(present) > MOST_GROUPS:
        raise UsageError(
            f"--groups {grouping.name}: {len(present)} groups among {len(combined)} examples; expected {MOST_GROUPS} or fewer",
            hint=f"ranges of a number, as in {grouping.factors[-1].column}:18-30-40-50, or a column with fewer values",
        )
    return Membership(grouping.name, tuple(names[code] for code in present.tolist()), torch.searchsorted(present, combined))


def _factor(word: str, columns: Collection[str], part: str) -> Factor:
    file = None
    if word not in columns and (match := _FILE.fullmatch(word)):
        file, word = match["file"], match["rest"]
    name, colon, edges = (word, "", "") if word in columns else word.rpartition(":")
    name, edges = (name, edges) if colon else (word, "")
    if not name or (colon and not edges):
        what = "has an empty part" if not name else "has a colon and no edges behind it"
        raise UsageError(f"--groups {part or repr(part)} {what}", hint="--groups Gender,MaritalStatus,Age:18-30-40-50")
    return Factor(name, file, _edges(edges, word) if colon else ())


def _edges(text: str, word: str) -> tuple[float, ...]:
    hint = "rising numbers with - between them, as in Age:18-30-40-50"
    if not _EDGES.fullmatch(text):
        raise UsageError(f"--groups {word}: '{text}' are no edges; expected numbers", hint=hint)
    edges, at = [], 0
    while at < len(text):
        match = _FIRST_EDGE.match(text, at)
        assert match is not None
        edges.append(float(match[1]))
        at = match.end()
    for one, other in pairwise(edges):
        if one >= other:
            raise UsageError(f"--groups {word}: {other:g} comes after {one:g}; edges must rise", hint=hint)
    return tuple(edges)


def _coded(column: RawColumn, factor: Factor) -> tuple[Tensor, list[str]]:
    """The group of each value, int64 (N,), and the names of the groups, the last one for what is missing."""
    if factor.edges:
        return _ranges(column, factor)
    if column.is_text:
        labels = list(column.levels)
        return torch.where(column.values < 0, len(labels), column.values), [*labels, MISSING]
    known = column.values[~column.values.isnan()]
    values = torch.unique(known)
    if len(values) > MOST_VALUES:
        quarters = torch.unique(torch.quantile(known[:: max(1, len(known) // 10**6)], torch.tensor([0.25, 0.5, 0.75]).double()))
        example = "-".join(f"{value:.3g}" for value in quarters.tolist() if "e" not in f"{value:.3g}") or "18-30-40-50"
        raise UsageError(
            f"--groups {factor.column}: {len(values)} different numbers here; expected the edges of ranges",
            hint=f"--groups {factor.column}:{example}",
        )
    codes = torch.searchsorted(values, column.values.nan_to_num(torch.inf))
    return codes, [*map(plain, values.tolist()), MISSING]


def _ranges(column: RawColumn, factor: Factor) -> tuple[Tensor, list[str]]:
    if column.is_text:
        raise UsageError(
            f"--groups {factor.column}:…: that is a column of categories, edges are for numbers", hint=f"--groups {factor.column}"
        )
    edges = torch.tensor(factor.edges, dtype=torch.float64)
    known = column.values[~column.values.isnan()]
    whole = bool((known == known.round()).all()) and bool((edges == edges.round()).all())
    codes = torch.bucketize(column.values, edges, right=True)
    codes = torch.where(column.values.isnan(), len(edges) + 1, codes)
    return codes, [*_range_names(factor.edges, whole=whole), MISSING]


def _range_names(edges: Sequence[float], *, whole: bool) -> list[str]:
    names = [f"below {plain(edges[0])}"]
    for low, high in pairwise(edges):
        last = plain(high - 1)
        names.append(
            f"{plain(low)} to <{plain(high)}" if not whole else plain(low) if high - low == 1 else f"{plain(low)}–{last}"
        )
    return [*names, f"{plain(edges[-1])}+"]


def plain(value: float) -> str:
    """Returns a number with all its digits: groups that differ have names that differ."""
    return str(int(value)) if value == int(value) else repr(value)
