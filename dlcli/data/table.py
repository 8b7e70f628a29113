"""The user's own table: a CSV file with a column of classes; and how every table becomes train, val and test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dlcli.contracts import DataBundle, DataSource
from dlcli.data.csv import read_csv
from dlcli.data.encoding import Encoding, fit_encoding, missing_note
from dlcli.data.memory import MemorySplit, stratified_holdout
from dlcli.data.raw_table import RawTable, raw_table
from dlcli.errors import DataError, UsageError

FEWEST_ROWS = 10


@dataclass(frozen=True)
class Parts:
    """Positions of the rows of each part, int64, ascending; None where there is no such part."""

    train: Tensor
    val: Tensor | None
    test: Tensor | None


@runtime_checkable
class SplitTable(Protocol):
    """A table of which it is known where the rows of each part come from: what a model does not read of them is found there."""

    def raw(self) -> RawTable:
        """Reads all rows. Raises what ``load`` raises."""

    def parts(self, raw: RawTable) -> Parts:
        """Returns which rows are train, val and test; example i of a part is the row at its position i."""


@dataclass(frozen=True, kw_only=True)
class Table(DataSource):
    """A CSV file of your own: a header, a row for each example, one column with its class.

    Columns of numbers stay numbers, texts become categories; see :func:`~dlcli.data.encoding.fit_encoding` for what is left out,
    and the notes of the bundle for what was found. Parts are stratified by class; categories, mean and spread are measured on
    train alone.

    Args:
        path: the file; must be given.
        target: the column with the classes; must be given.
        positive: of two classes, the one that is looked for (class 1); None for the one called Yes, True, 1 …, else the rarer.
        numbers, categories: columns to read as such, and to keep whatever they look like.
        drop: columns to leave out.
        val_share, test_share: parts of the rows, in [0, 1), together below 1; 0 means no such part.
        split_seed: chooses which rows are val and which test.

    Raises:
        ValueError: the shares are out of range.
    """

    path: str | None = None
    target: str | None = None
    positive: str | None = None
    numbers: Sequence[str] = ()
    categories: Sequence[str] = ()
    drop: Sequence[str] = ()
    val_share: float = 0.15
    test_share: float = 0.15
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_shares(self.val_share, self.test_share)

    def load(self) -> DataBundle:
        """Reads, checks and splits the file. Raises DataError (content), StorageError (missing) or UsageError (names)."""
        raw = self.raw()
        parts = self.parts(raw)
        return bundle_of(raw, parts.train, parts.val, parts.test, name=_name(Path(str(self.path))))

    def parts(self, raw: RawTable) -> Parts:
        """Returns which rows of the whole table are train, val and test."""
        return split_rows(raw.targets, self.val_share, self.test_share, seed=self.split_seed)

    def raw(self) -> RawTable:
        """Reads and checks the file; nothing is split or measured."""
        if not self.path or not self.target:
            missing = "data.path" if not self.path else "data.target"
            what = "the CSV file" if not self.path else "the column with the classes"
            raise UsageError(f"{missing} has no value; expected {what}", hint="dl train --data FILE.csv --target COLUMN")
        return raw_table(
            read_csv(Path(self.path).expanduser()),
            self.target,
            positive=self.positive,
            numbers=self.numbers,
            categories=self.categories,
            drop=self.drop,
        )


def _name(path: Path) -> str:
    """The file's name as a run can have it: what a folder may not be called becomes a dash."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:64] or "table"


def check_shares(val_share: float, test_share: float) -> None:
    """Raises ValueError unless both shares lie in [0, 1) and leave something for train."""
    for name, share in (("val_share", val_share), ("test_share", test_share)):
        if not 0 <= share < 1:
            raise ValueError(f"{name} must be in [0, 1), got {share}")
    if val_share + test_share >= 1:
        raise ValueError(f"val_share and test_share must leave something for train, got {val_share} + {test_share}")


def split_rows(targets: Tensor, val_share: float, test_share: float, *, seed: int) -> Parts:
    """Returns train, val and test, stratified by class; a share of 0 gives None.

    Args:
        targets: class numbers, int64 (N,).

    Raises:
        DataError: there are fewer than 10 rows to split, or none is left for train.
    """
    rows, train = len(targets), torch.arange(len(targets))
    if rows < FEWEST_ROWS and (val_share or test_share):
        raise DataError(f"the table has {rows} rows; expected at least {FEWEST_ROWS} to split into train, val and test")
    parts: list[Tensor | None] = []
    for share in (test_share, val_share):
        held = None
        if share:
            size = max(1, round(share * rows))
            if size >= len(train):
                raise DataError(
                    f"data.val_share={val_share} and data.test_share={test_share} of {rows} rows leave none to train on",
                    hint="smaller shares, such as 0.15",
                )
            holdout = stratified_holdout(targets[train], size, seed=seed)
            train, held = train[holdout.rest], train[holdout.held]
        parts.append(held)
    return Parts(train, val=parts[1], test=parts[0])


def bundle_of(raw: RawTable, train: Tensor, val: Tensor | None, test: Tensor | None, *, name: str) -> DataBundle:
    """Returns the rows ``train``, ``val`` and ``test`` (int64 positions, None or none for no such part) encoded as train teaches.

    The bundle's notes say what was found: types, columns left out, missing values, categories that train lacks, rows that are
    in train and in another part.

    Raises:
        DataError: no column is left to learn from.
    """
    encoding = fit_encoding(raw, train, name=name)
    others = {part: rows for part, rows in (("val", val), ("test", test)) if rows is not None and len(rows)}
    inputs = {part: encoding(raw, rows) for part, rows in {"train": train, **others}.items()}
    splits = {part: MemorySplit(inputs[part], raw.targets[rows]) for part, rows in {"train": train, **others}.items()}
    notes = (*raw.notes, *encoding.notes, *_missing(raw, encoding), *_unseen(encoding, inputs), *_repeated(splits))
    return DataBundle(encoding.spec, splits["train"], splits.get("val"), splits.get("test"), notes)


def _missing(raw: RawTable, encoding: Encoding) -> list[str]:
    kept = [raw.columns[place] for place in encoding.places]
    return missing_note([(column.name, int(column.missing.sum())) for column in kept], len(raw))


def _unseen(encoding: Encoding, inputs: dict[str, Tensor]) -> list[str]:
    """Categories of val and test that train lacks."""
    text = torch.tensor([bool(column.categories) for column in encoding.spec.columns])
    counts = {part: (rows[:, text] == 0).sum(dim=0) for part, rows in inputs.items() if part != "train"}
    names = [column.name for column in encoding.spec.columns if column.categories]
    found = [
        f"{name} {int(count)} ({part})"
        for part, each in counts.items()
        for name, count in zip(names, each.tolist(), strict=True)
        if count
    ]
    return [f"categories that train lacks, read as unknown: {', '.join(found)}"] if found else []


def _repeated(splits: dict[str, MemorySplit]) -> list[str]:
    """Rows, classes included, of val and test that are also in train."""

    def keys(split: MemorySplit) -> list[bytes]:
        return [
            row.tobytes() for row in torch.cat([split.inputs, split.targets[:, None].float()], dim=1).nan_to_num(-1e30).numpy()
        ]

    known = set(keys(splits["train"]))
    counts = {part: sum(row in known for row in keys(split)) for part, split in splits.items() if part != "train"}
    found = [f"{count} of {part}" for part, count in counts.items() if count]
    copies = "if they are copies of an example, its figures look better than they are"
    return [f"rows that are in train too, all cells alike: {', '.join(found)}; {copies}"] if found else []
