"""Adult: census records of 1994; who earns more than 50,000 dollars a year? A table on which fairness is contested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from dlcli.contracts import DataBundle, DataSource
from dlcli.data.csv import Sheet, parse
from dlcli.data.fetchable import Published, Remote
from dlcli.data.memory import stratified_holdout
from dlcli.data.published_table import read_published
from dlcli.data.raw_table import RawTable, raw_table
from dlcli.data.splits import check_val_size
from dlcli.data.table import Parts, bundle_of

TRAIN_SIZE = 32_561
HEADER = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
)
_URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"


@dataclass(frozen=True, kw_only=True)
class Adult(DataSource):
    """Income in the US census of 1994 (Becker and Kohavi 1996; UCI, CC BY 4.0), with its published split.

    Test is the published adult.test (16,281 rows), val a stratified part of adult.data (32,561), train the rest. Class 1 is >50K
    (24 %). A ? is a missing value. Both parts hold some rows twice, and the notes count those that train shares with the others.

    Args:
        root: folder that holds adult.data and adult.test; None means ``$DL_DATA/adult``, then the user cache.
        drop: columns to leave out. fnlwgt says how many people a row stands for: a weight of the survey, no trait of the person.
        split_seed: chooses which rows are val.
        val_size: how many rows are val, in [1, 32560].

    Raises:
        ValueError: ``val_size`` is out of range.
    """

    published: ClassVar[Published] = Published(
        name="adult",
        files=(
            Remote(
                name="adult.data",
                urls=(f"{_URL}adult.data",),
                size=3_974_305,
                sha256="5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
            ),
            Remote(
                name="adult.test",
                urls=(f"{_URL}adult.test",),
                size=2_003_153,
                sha256="a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
            ),
        ),
        terms="CC BY 4.0",
    )

    root: str | None = None
    drop: Sequence[str] = ("fnlwgt",)
    split_seed: int = 0
    val_size: int = 5000

    def __post_init__(self) -> None:
        check_val_size(self.val_size, TRAIN_SIZE)

    def load(self) -> DataBundle:
        """Reads both files. Raises StorageError (missing), DataError (not the published ones) or UsageError (``drop``)."""
        raw = self.raw()
        parts = self.parts(raw)
        return bundle_of(raw, parts.train, parts.val, parts.test, name="adult")

    def parts(self, raw: RawTable) -> Parts:
        """Returns which rows of both files are train, val and test."""
        holdout = stratified_holdout(raw.targets[:TRAIN_SIZE], self.val_size, seed=self.split_seed)
        return Parts(holdout.rest, val=holdout.held, test=torch.arange(TRAIN_SIZE, len(raw)))

    def raw(self) -> RawTable:
        """Reads both files, adult.data first. Raises what ``load`` raises."""
        parts = [read_published(self.published, remote, root=self.root) for remote in self.published.files]
        return raw_table(
            sheet_of([text for _, text in parts], source=str(parts[0][0].parent)), "income", positive=">50K", drop=self.drop
        )


def sheet_of(texts: Sequence[str], *, source: str) -> Sheet:
    """Returns the rows of the published files together; the comment line and the full stops of adult.test are left out."""
    sheets = [parse(_rows(text), source=source, delimiter=",", header=HEADER) for text in texts]
    rows = [[*row[:-1], row[-1].removesuffix(".")] for sheet in sheets for row in sheet.rows]
    return Sheet(source, HEADER, rows, [line for sheet in sheets for line in sheet.lines])


def _rows(text: str) -> str:
    first, _, rest = text.partition("\n")
    return "\n" + rest if first.startswith("|") else text
