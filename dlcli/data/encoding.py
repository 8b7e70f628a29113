"""From a raw table to what a model reads: which columns are kept, their categories, mean and spread, measured on train alone.

An encoded table is float32 (N, D): numbers in the file's units, categories as codes 1 … k in the order of
``Column.categories``, 0 for a value that train does not hold; what is missing is NaN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.contracts import Column, DataSpec
from dlcli.data.columns import RawColumn, is_missing, named, number, shown
from dlcli.data.csv import Sheet
from dlcli.data.raw_table import RawTable
from dlcli.errors import DataError, did_you_mean

MOST_CATEGORIES = 50
# Different whole numbers in every row: by chance less often than once in a thousand, where n² / 2 > 7 · range (birthdays).
_BY_CHANCE = 7.0
_IDENTIFIER = re.compile(
    r"(?:^|[ _.-])(?:id|uuid|guid|index|key)$|[a-z]I[dD]$|^row[ _]?(?:number|nr|no)?$|^unnamed: 0$", re.IGNORECASE
)


@dataclass(frozen=True, eq=False)
class Encoding:
    """What train taught about a table.

    Args:
        spec: the data's spec, with a :class:`~dlcli.contracts.Column` for each column that is kept.
        places: which column of the raw table each of them is.
        notes: types, and what is left out and why; one line each.
    """

    spec: DataSpec
    places: tuple[int, ...]
    notes: tuple[str, ...]

    def __call__(self, raw: RawTable, rows: Tensor | None = None) -> Tensor:
        """Returns the encoded rows at the positions ``rows``, float32 (N, D); None means all."""
        kept = [raw.columns[place] for place in self.places]
        encoded = [_encoded(column, spec, rows) for column, spec in zip(kept, self.spec.columns, strict=True)]
        return torch.stack(encoded, dim=1)


def fit_encoding(raw: RawTable, train: Tensor, *, name: str) -> Encoding:
    """Measures a table on the rows ``train`` (int64 positions), and on no other.

    Left out are columns that are constant, empty, identifiers, dates, or text with more than 50 values or with more than half
    as many values as rows, unless the user named them.

    Raises:
        DataError: no column is left.
    """
    kept: list[tuple[int, Column, float, float]] = []
    left_out: dict[str, list[str]] = {}
    for place, column in enumerate(raw.columns):
        values = column.values[train]
        why = _reason_to_leave_out(column, values)
        if why:
            left_out.setdefault(why, []).append(column.name)
        else:
            kept.append((place, *_measured(column, values)))
    notes = [f"left out, {why}: {named(names)}" for why, names in left_out.items()]
    if not kept:
        raise DataError(
            f"{name}: no column is left to learn from; {'; '.join(notes)}",
            hint="data.numbers=[…] or data.categories=[…] keep one",
        )
    columns = tuple(column for _, column, _, _ in kept)
    spec = DataSpec(
        name=name,
        shape=(len(kept),),
        classes=raw.classes,
        mean=tuple(mean for _, _, mean, _ in kept),
        std=tuple(std for _, _, _, std in kept),
        kind="table",
        epsilon={},  # columns have units of their own: no one radius means anything for all
        columns=columns,
    )
    return Encoding(spec, tuple(place for place, *_ in kept), (_types(columns), *notes))


def encode(sheet: Sheet, spec: DataSpec) -> tuple[Tensor, tuple[str, ...]]:
    """Encodes new rows for a model that was trained on ``spec``.

    Returns:
        The encoded rows, float32 (N, D), and notes: columns that the model does not know, categories that it has not seen
        (code 0), missing values.

    Raises:
        DataError: a column of the model is missing, or a number column holds something else.
    """
    known = {column.name for column in spec.columns}
    lacking = [column.name for column in spec.columns if column.name not in sheet.header]
    if lacking:
        unused = [name for name in sheet.header if name not in known]
        near = did_you_mean(lacking[0], unused)
        renamed = f"is it the column '{unused[0]}'?" if near and len(unused) == 1 else None
        raise DataError(
            f"{sheet.source} lacks {len(lacking)} of the model's {len(known)} columns: {named(lacking)}{near}",
            hint=renamed
            or "give the columns the names that the model was trained with; leave cells empty where a value is missing",
        )
    new = [name for name in sheet.header if name not in known]
    notes = [f"ignored, the model does not know them: {named(new)}"] if new else []
    encoded = torch.empty(len(sheet.rows), len(spec.columns))
    unseen: list[str] = []
    for place, column in enumerate(spec.columns):
        cells = sheet.cells(column.name)
        encoded[:, place] = _codes(cells, column) if column.categories else _numbers(cells, column, sheet)
        if column.categories and (count := int((encoded[:, place] == 0).sum())):
            first = next(cell for cell, code in zip(cells, encoded[:, place].tolist(), strict=True) if code == 0)
            unseen.append(f"{column.name} {count} (such as {shown(first)})")
    if unseen:
        notes.append(f"values not in train, read as unknown: {named(unseen)}")
    notes += missing_note(
        [(column.name, int(encoded[:, place].isnan().sum())) for place, column in enumerate(spec.columns)], len(encoded)
    )
    return encoded, tuple(notes)


def identifier_of(sheet: Sheet, spec: DataSpec) -> str | None:
    """Returns the column that tells the rows of a sheet apart and that the model does not read; None without one.

    Its values are all there, and another in each row; what is called id, key or the like comes first.
    """
    known = {column.name for column in spec.columns}
    unique = []
    for name in sheet.header:
        cells = [] if name in known else sheet.cells(name)
        if cells and len(set(cells)) == len(cells) and not any(map(is_missing, cells)):
            unique.append(name)
    return next((name for name in unique if _IDENTIFIER.search(name)), next(iter(unique), None))


def missing_note(counts: Sequence[tuple[str, int]], rows: int) -> list[str]:
    """Returns the line that says how many values are missing per column; none where nothing is."""
    some = sorted(((name, count) for name, count in counts if count), key=lambda entry: -entry[1])
    if not some:
        return []
    listed = named([f"{name} {count}" for name, count in some])
    return [f"missing of {rows}: {listed}; a missing number counts as the mean of train, a missing category as unknown"]


def _encoded(column: RawColumn, spec: Column, rows: Tensor | None) -> Tensor:
    """One column, float32 (N,)."""
    values = column.values if rows is None else column.values[rows]
    if not column.is_text:
        return values.float()
    code_of = {category: code for code, category in enumerate(spec.categories, start=1)}
    # The last entry is what position -1, a missing value, finds.
    table = torch.tensor([*(float(code_of.get(level, 0)) for level in column.levels), math.nan])
    return table[values]


def _measured(column: RawColumn, values: Tensor) -> tuple[Column, float, float]:
    """The column's spec, mean and standard deviation over its values in train."""
    if column.is_text:
        present = values[values >= 0].bincount(minlength=len(column.levels)) > 0
        categories = tuple(level for level, occurs in zip(column.levels, present.tolist(), strict=True) if occurs)
        return Column(name=column.name, categories=categories), 0.0, 1.0
    seen = values[~values.isnan()]
    if not len(seen):
        return Column(name=column.name), 0.0, 1.0
    std = float(seen.std(correction=0))
    return Column(name=column.name, low=float(seen.min()), high=float(seen.max())), float(seen.mean()), std if std > 0 else 1.0


def _reason_to_leave_out(column: RawColumn, values: Tensor) -> str:
    """Why a column is of no use, by its values in train; empty where it is."""
    seen = values[values >= 0] if column.is_text else values[~values.isnan()]
    if column.forced and (len(seen) or not column.is_text):
        return ""
    if not len(seen):
        return "empty in train"
    distinct = len(torch.unique(seen))
    if distinct == 1:
        return "constant in train"
    if column.is_text:
        if column.dates:
            return "dates or times (make numbers of them to use them)"
        if distinct == len(seen):
            return "text that is different in every row (an identifier or free text)"
        if distinct > MOST_CATEGORIES or 2 * distinct > len(seen):
            return f"text with too many values (over {MOST_CATEGORIES}, or over half of the rows; data.categories=[…] keeps it)"
        return ""
    if distinct == len(seen) == len(values) and bool((seen == seen.round()).all()):
        span = float(seen.max() - seen.min()) + 1
        if _IDENTIFIER.search(column.name) or len(seen) ** 2 > 2 * _BY_CHANCE * span:
            return "whole numbers, another in every row (an identifier; data.numbers=[…] keeps it)"
    return ""


def _types(columns: Sequence[Column]) -> str:
    """The line that says which columns were read as what."""
    numbers = [column.name for column in columns if not column.categories]
    categories = [f"{column.name} ({len(column.categories)})" for column in columns if column.categories]
    parts = [f"{len(numbers)} numbers ({named(numbers, most=4)})"] if numbers else []
    parts += [f"{len(categories)} categories ({named(categories, most=4)})"] if categories else []
    return f"{len(columns)} columns: {', '.join(parts)}"


def _codes(cells: Sequence[str], column: Column) -> Tensor:
    """Codes of a category column; 1 and 1.0 are the same number where a category is one."""
    code_of: dict[str | float, float] = {}
    for place, category in enumerate(column.categories, start=1):
        code_of[category] = place
        if (as_number := number(category)) is not None:
            code_of.setdefault(as_number, place)

    def code(cell: str) -> float:
        if cell not in code_of and is_missing(cell):
            return math.nan
        value = number(cell)
        return code_of.get(cell, 0.0 if value is None else code_of.get(value, 0.0))

    coded = {cell: code(cell) for cell in set(cells)}
    return torch.tensor([coded[cell] for cell in cells])


def _numbers(cells: Sequence[str], column: Column, sheet: Sheet) -> Tensor:
    values = []
    for line, cell in zip(sheet.lines, cells, strict=True):
        value = math.nan if is_missing(cell) else number(cell)
        if value is None:
            raise DataError(
                f"{sheet.source}: line {line}: '{column.name}' holds {shown(cell)}; the model expects a number",
                hint="write plain numbers such as 1234 or 0.12, or leave the cell empty",
            )
        values.append(value)
    return torch.tensor(values, dtype=torch.float64).float()
