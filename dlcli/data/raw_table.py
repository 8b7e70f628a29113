"""A whole table before it is split: its columns and classes as the file has them, nothing measured yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dlcli.data.columns import RawColumn, by_size, is_missing, named, number, read_column, shown
from dlcli.data.csv import Sheet
from dlcli.errors import DataError, UsageError, did_you_mean

_MOST_CLASSES = 1000
_MOST_NUMBERS = 20
_FEWEST_PER_CLASS = 10
_MAJORITY = 0.8
# What people call the class that is looked for, in any case.
_POSITIVE = ("yes", "true", "1", "y", "t", "positive", "pos", "tested_positive", ">50k", "churn", "default", "fraud", "malignant")


@dataclass(frozen=True, eq=False)
class RawTable:
    """All rows of a table.

    Args:
        columns: D, each of N values; without the target.
        targets: class numbers, int64 (N,).
        classes: their names; of two, the second is the positive one.
        notes: what people should know of the file, one line each.
    """

    columns: tuple[RawColumn, ...]
    targets: Tensor
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)


@runtime_checkable
class TableSource(Protocol):
    """A data source whose rows can be split in other ways than its own, as for cross-validation."""

    def raw(self) -> RawTable:
        """Reads all rows. Raises what ``load`` raises."""


def numeric_table(
    inputs: Tensor, names: Sequence[str], targets: Tensor, classes: Sequence[str], notes: Sequence[str] = ()
) -> RawTable:
    """Returns a table of numbers (N, D), missing NaN, whose columns stay whatever they look like."""
    columns = [RawColumn(name, inputs[:, place].double(), forced=True) for place, name in enumerate(names)]
    return RawTable(tuple(columns), targets.to(torch.int64), tuple(classes), tuple(notes))


def raw_table(
    sheet: Sheet,
    target: str,
    *,
    positive: str | None = None,
    numbers: Sequence[str] = (),
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
    orders: Mapping[str, Sequence[str]] | None = None,
) -> RawTable:
    """Returns the table of a sheet: the column ``target`` as classes, the others as numbers or text.

    Args:
        positive: of two classes the one that is looked for; None for the one that is called so (Yes, True, 1 …), else the rarer.
        numbers, categories, drop: columns that the user reads as numbers, as categories, or leaves out.
        orders: the texts of ordered scales, lowest first, by column.

    Raises:
        UsageError: a name is no column, stands in two lists, or ``positive`` is no class.
        DataError: the targets are no classes, or a column cannot be read; see :func:`~dlcli.data.columns.read_column`.
    """
    _check_names(sheet, target, {"numbers": numbers, "categories": categories, "drop": drop})
    targets, classes, notes = _classes(sheet, target, positive)
    columns = []
    for name in sheet.header:
        if name == target or name in drop:
            continue
        kind = "numbers" if name in numbers else "categories" if name in categories else None
        order = (orders or {}).get(name, ())
        column = read_column(name, sheet.cells(name), source=sheet.source, lines=sheet.lines, kind=kind, order=order)  # type: ignore[arg-type]
        columns.append(column)
        notes += _near_equal(column)
    if not columns:
        raise DataError(f"{sheet.source} has no column beside the target '{target}'; expected some to learn from")
    return RawTable(tuple(columns), targets, classes, tuple(notes))


def _check_names(sheet: Sheet, target: str, lists: Mapping[str, Sequence[str]]) -> None:
    for key, names in {"target": [target], **lists}.items():
        for name in names:
            if name not in sheet.header:
                near = did_you_mean(name, sheet.header) or f"; it has {named(sheet.header)}"
                numbers = sum(number(each) is not None for each in sheet.header)
                hint = (
                    "its first line looks like a row: put the column names above it" if 2 * numbers > len(sheet.header) else None
                )
                raise UsageError(f"data.{key}={name}: {sheet.source} has no such column{near}", hint=hint)
    seen: dict[str, str] = {target: "target"}
    for key, names in lists.items():
        for name in names:
            if seen.setdefault(name, key) != key:
                reason = f"data.{key} names '{name}', and so does data.{seen[name]}; expected one of them"
                raise UsageError(reason, hint=f"data.{key} without '{name}'")


def _classes(sheet: Sheet, target: str, positive: str | None) -> tuple[Tensor, tuple[str, ...], list[str]]:
    """The class numbers, the class names, and notes."""
    cells = sheet.cells(target)
    missing = [line for line, cell in zip(sheet.lines, cells, strict=True) if is_missing(cell)]
    if missing:
        raise DataError(
            f"{sheet.source}: '{target}', the target, is missing in {len(missing)} of {len(cells)} rows, first line {missing[0]}",
            hint="delete those rows: nothing can be learned from them",
        )
    counts = Counter(cells)
    _refuse_what_is_no_class(sheet, target, counts)
    names = sorted(counts, key=by_size)
    notes = _alike(target, names)
    if len(names) > 2:
        notes.append(f"{len(names)} classes: {named([f'{name} {counts[name]}' for name in names])}")
    if len(names) == 2:
        names, how = _with_positive_last(names, counts, positive, target)
        notes.append(f"class 1 (positive) is {names[1]}, {how}; class 0 is {names[0]}")
    elif positive is not None:
        raise UsageError(
            f"data.positive={positive}: '{target}' has {len(names)} classes, a positive one is for two", hint="data.positive=null"
        )
    numbers = {name: position for position, name in enumerate(names)}
    return torch.tensor([numbers[cell] for cell in cells]), tuple(names), notes + _imbalance(counts)


def _refuse_what_is_no_class(sheet: Sheet, target: str, counts: Counter[str]) -> None:
    rows, distinct = counts.total(), len(counts)
    if distinct == 1:
        only = next(iter(counts))
        raise DataError(
            f"{sheet.source}: all {rows} rows have {target}={only}; expected at least two classes", hint="is it the right target?"
        )
    values = [number(name) for name in counts]
    if all(value is not None for value in values):
        whole = all(value is not None and value == round(value) for value in values)
        sparse = rows < _FEWEST_PER_CLASS * distinct
        many = distinct > _MOST_NUMBERS and (not whole or sparse or distinct > _MOST_CLASSES)
        if many or (not whole and sparse and distinct > 2):
            raise DataError(
                f"{sheet.source}: the target '{target}' has {distinct} different numbers in {rows} rows: that is a number to "
                f"predict (regression), and dl learns classes",
                hint="name another target, or write classes such as low and high into the file",
            )
    elif distinct > _MOST_CLASSES or (distinct > 2 and 2 * distinct > rows):
        common = counts.most_common(1)[0]
        raise DataError(
            f"{sheet.source}: the target '{target}' has {distinct} different values in {rows} rows (most often "
            f"{shown(common[0])}, {common[1]} times); expected classes that repeat",
            hint="is it the right target?",
        )


def _with_positive_last(names: list[str], counts: Counter[str], positive: str | None, target: str) -> tuple[list[str], str]:
    """The two class names, the positive one last, and how it was chosen."""
    how = "as given"
    if positive is not None and positive not in names:
        near = did_you_mean(positive, names) or f"; expected {names[0]} or {names[1]}"
        raise UsageError(f"data.positive={positive}: '{target}' has no such class{near}", hint=f"data.positive={names[1]}")
    if positive is None:
        called = [name for name in names if name.lower() in _POSITIVE]
        rarer = min(reversed(names), key=lambda name: counts[name])
        why = "the rarer one" if 2 * counts[rarer] < counts.total() else "both are as frequent"
        positive, how = (called[0], "by its name") if len(called) == 1 else (rarer, why)
    return sorted(names, key=lambda name: name == positive), how


def _imbalance(counts: Counter[str]) -> list[str]:
    (name, most), rows = counts.most_common(1)[0], counts.total()
    single = [name for name, count in counts.items() if count == 1]
    notes = []
    if most > _MAJORITY * rows:
        notes.append(
            f"{100 * most / rows:.0f} % of the rows are {name}: who always says so is right that often, so accuracy says little"
        )
    if single:
        notes.append(f"classes with one row, which is in train and never tested: {named(single)}")
    return notes


def _near_equal(column: RawColumn) -> list[str]:
    return _alike(column.name, column.levels)


def _alike(name: str, values: Sequence[str]) -> list[str]:
    """The line about values that differ in their case, or as numbers in their writing, alone."""
    seen: dict[str | float, str] = {}
    pairs = []
    for value in values:
        as_number = number(value)
        key = value.casefold() if as_number is None else as_number
        if seen.setdefault(key, value) != value:
            pairs.append((seen[key], value))
    return [f"{name}: {shown(one)} and {shown(other)} count as two" for one, other in pairs[:1]]
