"""What is known of the examples of a split beside what the model reads: all columns of a table, or a CSV file of attributes.

A table is read again with nothing dropped, so columns that were kept from the model are there. Images have no columns; their
attributes stand in a CSV file with a header, a row for each image. Its column ``file`` (or path, image, filename) names it as it
lies in the data's folder (``test/cat/1.jpg``), or ``index`` (or row) is its position in the split, from 0, which every data set
has. An example that the file does not name is missing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcli.contracts import DataSource
from dlcli.data.columns import RawColumn, named, read_column
from dlcli.data.csv import Sheet, read_csv
from dlcli.data.folder import ImageFolder
from dlcli.data.groups import Factor
from dlcli.data.raw_table import RawTable
from dlcli.data.table import SplitTable, Table
from dlcli.errors import DataError, UsageError, did_you_mean

_BY_FILE = ("file", "path", "image", "filename")
_BY_POSITION = ("index", "row")


@dataclass(frozen=True, eq=False)
class Attributes:
    """Where the attributes of some examples are found.

    Args:
        source: the data.
        part: train, val or test; None for all examples of a table or a folder that is used whole.
        index: positions of the examples in that part, int64 (N,).
        columns: by name; of tables alone.
    """

    source: DataSource
    part: str | None
    index: Tensor
    columns: Mapping[str, RawColumn]

    @classmethod
    def of(cls, source: DataSource, part: str | None, *, index: Tensor, targets: Tensor) -> Attributes:
        """Reads a table again, where the data are one.

        Args:
            targets: the classes of the examples, int64 (N,), to see that the rows are theirs.

        Raises:
            What the table raises, and DataError where its rows are not those of the split.
        """
        columns = {} if part is None else _table_columns(source, part, index, targets)
        return cls(source, part, index, columns)

    def column(self, factor: Factor) -> RawColumn:
        """Returns a column, N values. Raises UsageError (no such column), DataError or StorageError (the file)."""
        if factor.file is not None:
            return _from_file(Path(factor.file).expanduser(), factor.column, self)
        if self.part is None and isinstance(self.source, Table):
            return _whole_column(Path(str(self.source.path)).expanduser(), factor.column, self.index)
        if factor.column in self.columns:
            return self.columns[factor.column]
        if not self.columns:
            raise UsageError(
                f"--groups {factor.column}: these data have no columns",
                hint="--groups FILE.csv:COLUMN, a file with a row for each example and its file or index",
            )
        near = did_you_mean(factor.column, self.columns) or f"; there are {named(list(self.columns), most=12)}"
        raise UsageError(f"--groups {factor.column}: the data have no such column{near}", hint="--groups COLUMN,COLUMN")


def _table_columns(source: DataSource, part: str, index: Tensor, targets: Tensor) -> Mapping[str, RawColumn]:
    if not isinstance(source, SplitTable):
        return {}
    whole: Any = source
    if "drop" in {entry.name for entry in fields(whole)}:
        try:
            raw: RawTable = replace(whole, drop=()).raw()
        except DataError:  # a column may have been dropped because it cannot be read
            raw = whole.raw()
    else:
        raw = whole.raw()
    rows = getattr(whole.parts(raw), part)[index]
    if not torch.equal(raw.targets[rows], targets):
        raise DataError("the rows of the table are not those of the split", hint="train again")
    return {column.name: replace(column, values=column.values[rows]) for column in raw.columns}


def _whole_column(path: Path, name: str, index: Tensor) -> RawColumn:
    """A column of a table that is used whole."""
    column = _read(read_csv(path), name)
    return replace(column, values=column.values[index])


def _read(sheet: Sheet, name: str) -> RawColumn:
    if name not in sheet.header:
        near = did_you_mean(name, sheet.header) or f"; it has {named(list(sheet.header), most=12)}"
        raise UsageError(f"--groups {name}: {sheet.source} has no such column{near}", hint="--groups FILE.csv:COLUMN")
    return read_column(name, sheet.cells(name), source=sheet.source, lines=sheet.lines)


def _from_file(path: Path, name: str, examples: Attributes) -> RawColumn:
    sheet = read_csv(path)
    column = _read(sheet, name)
    lines = _lines_of_examples(sheet, examples)
    missing: float = -1 if column.is_text else torch.nan
    extended = torch.cat([column.values, torch.tensor([missing], dtype=column.values.dtype)])
    return replace(column, values=extended[lines])


def _lines_of_examples(sheet: Sheet, examples: Attributes) -> Tensor:
    """The row of each example in the sheet, -1 for none; int64 (N,). Raises DataError."""
    by_file = next((name for name in sheet.header if name.lower() in _BY_FILE), None)
    by_position = next((name for name in sheet.header if name.lower() in _BY_POSITION), None)
    keys: list[str]
    if by_file is not None and isinstance(examples.source, ImageFolder):
        parts = [examples.part] if examples.part is not None else ["train", "val", "test"]
        key, files = by_file, [name for part in parts for name in examples.source.names(part)]
        keys = [files[position] for position in examples.index.tolist()]
    elif by_position is not None:
        key, keys = by_position, [str(position) for position in examples.index.tolist()]
    else:
        expected = "file (as in the data's folder) or index" if isinstance(examples.source, ImageFolder) else "index"
        what = f"that says which example a row is; expected one called {expected}, it has {named(list(sheet.header))}"
        raise DataError(f"{sheet.source} has no column {what}", hint="index counts the examples of the split from 0")
    places: dict[str, int] = {}
    for row, cell in enumerate(sheet.cells(key)):
        if places.setdefault(cell, row) != row:
            raise DataError(f"{sheet.source}: line {sheet.lines[row]} names {key} {cell} again", hint="one row for each example")
    found = torch.tensor([places.get(each, -1) for each in keys])
    if not len(found) or int(found.max()) < 0:
        raise DataError(f"{sheet.source} names none of the {len(keys)} examples; the first one is {key} {keys[0]}")
    return found
