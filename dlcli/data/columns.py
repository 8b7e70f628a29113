"""One column of a table: from text to numbers or categories, and what is refused because it could be read in two ways."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dlcli.errors import DataError

MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})
# Mostly numbers, and so many values that the rest are likelier slips than categories.
_MIXED_SHARE, _MIXED_DISTINCT = 0.9, 20
_LARGEST = 3.4e38  # float32

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# 1,234  1.234,5  1'234  0,5  12 %  $5  5 €  (12): a number to people; which one is not for us to guess.
_FORMATTED = re.compile(r"[-+(]?\s*[$€£¥]?\s*[0-9][0-9.,' \u00a0\u202f]*\s*[%$€£¥]?\s*\)?|[-+]?inf(inity)?", re.IGNORECASE)
_DATE = re.compile(
    r"[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}([T ][0-9]{1,2}:[0-9]{2}.*)?|"
    r"[0-9]{1,2}([-/.])[0-9]{1,2}\3[0-9]{2,4}(\s+[0-9]{1,2}:[0-9]{2}.*)?|"
    r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
)


@dataclass(frozen=True, eq=False)
class RawColumn:
    """A column as the file has it, before anything is measured on it.

    Args:
        name: as in the header.
        values: numbers float64 (N,), missing NaN; or int64 (N,), positions in ``levels``, missing -1.
        levels: the texts of a category column, in the order that their codes will have; empty for numbers.
        forced: the user named it, so it stays whatever it looks like.
    """

    name: str
    values: Tensor
    levels: tuple[str, ...] = ()
    forced: bool = False

    @property
    def is_text(self) -> bool:
        return self.values.dtype == torch.int64

    @property
    def missing(self) -> Tensor:
        """Which rows have no value, bool (N,)."""
        return self.values < 0 if self.is_text else self.values.isnan()

    @property
    def dates(self) -> bool:
        """Whether every value is a date or a time."""
        return bool(self.levels) and all(_DATE.fullmatch(level) for level in self.levels)


def is_missing(cell: str) -> bool:
    """Whether a cell stands for a value that is not there: empty, NA, N/A, NaN, null or ?, in any case."""
    return cell.lower() in MISSING


def number(cell: str) -> float | None:
    """Returns the number that a cell holds, in plain notation (12, -0.5, 1e-3), or None."""
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if abs(value) < _LARGEST else None


def read_column(
    name: str,
    cells: Sequence[str],
    *,
    source: str,
    lines: Sequence[int],
    kind: Literal["numbers", "categories"] | None = None,
    order: Sequence[str] = (),
) -> RawColumn:
    """Returns a column whose cells are all numbers as numbers, any other as text.

    Args:
        source: the file, for messages.
        lines: the line of each cell.
        kind: what the user says it is; None to find it out.
        order: the texts of an ordered scale, lowest first; others follow. Empty for alphabetical, and numbers by size.

    Raises:
        DataError: a cell is no plain number where most are, or is a number to people only ("1,234", "12%").
    """
    distinct = set(cells)
    present = [cell for cell in distinct if not is_missing(cell)]
    parsed = {} if kind == "categories" else {cell: value for cell in present if (value := number(cell)) is not None}
    others = [cell for cell in present if cell not in parsed]
    if kind != "categories" and others:
        _refuse_what_could_be_numbers(name, cells, others, source=source, lines=lines, wanted=kind == "numbers")
    if kind != "categories" and not others:
        values = torch.tensor([parsed.get(cell, math.nan) for cell in cells], dtype=torch.float64)
        return RawColumn(name, values, forced=kind is not None)
    levels = [*(level for level in order if level in distinct), *sorted(set(present) - set(order), key=by_size)]
    codes = {level: code for code, level in enumerate(levels)}
    return RawColumn(name, torch.tensor([codes.get(cell, -1) for cell in cells]), tuple(levels), forced=kind is not None)


def by_size(text: str) -> tuple[bool, float, str]:
    """Sorting key: numbers by size, then other texts by alphabet."""
    value = number(text)
    return value is None, value or 0.0, text


def shown(cell: str) -> str:
    """Returns a cell in quotes for a message, on one line and cut where it is long."""
    text = " ".join(cell.split())
    return f"'{text}'" if len(text) <= 40 else f"'{text[:39]}…'"


def named(names: Sequence[str], *, most: int = 8) -> str:
    """Returns up to ``most`` names with commas, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _refuse_what_could_be_numbers(
    name: str, cells: Sequence[str], others: Sequence[str], *, source: str, lines: Sequence[int], wanted: bool
) -> None:
    """Raises DataError where text would be the wrong reading: numbers are wanted, or nearly all cells are some or look so."""
    bad = set(others)
    count = sum(cell in bad for cell in cells)
    first = next(position for position, cell in enumerate(cells) if cell in bad)
    where = f"{source}: line {lines[first]}: '{name}' holds {shown(cells[first])}"
    if wanted:
        raise DataError(f"{where}, expected a number ({count} such cells)", hint="write plain numbers, or leave the cell empty")
    choices = f"data.categories=[{name}] to read it as text, or data.drop=[{name}]"
    if all(_FORMATTED.fullmatch(cell) and not _DATE.fullmatch(cell) for cell in others):
        hint = f"write plain numbers such as 1234 or 0.12; {choices}"
        raise DataError(f"{where}, which is no plain number and not guessed at ({count} such cells)", hint=hint)
    present = sum(not is_missing(cell) for cell in cells)
    mostly = present - count >= _MIXED_SHARE * present
    if mostly and len(set(cells)) > _MIXED_DISTINCT:
        raise DataError(
            f"{where}, while {present - count} of {present} are numbers",
            hint=f"leave the cell empty if it means missing; {choices}",
        )
