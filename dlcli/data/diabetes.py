"""Pima Indians diabetes: 768 women by 8 measurements, many of them missing and written as zero."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from dlcli.contracts import DataBundle, DataSource
from dlcli.data.arff import parse_arff
from dlcli.data.csv import Sheet
from dlcli.data.fetchable import Published, Remote
from dlcli.data.published_table import read_published
from dlcli.data.raw_table import RawTable, raw_table
from dlcli.data.table import Parts, bundle_of, check_shares, split_rows

# Weka's short names, said in full; units as in the file's own description.
NAMES = {
    "preg": "pregnancies",
    "plas": "glucose",
    "pres": "blood_pressure",
    "skin": "skin_thickness",
    "insu": "insulin",
    "mass": "body_mass_index",
    "pedi": "pedigree",
    "age": "age",
    "class": "diabetes",
}
# Nobody lives with a zero there: it was written where nothing was measured.
ZERO_IS_MISSING = ("glucose", "blood_pressure", "skin_thickness", "insulin", "body_mass_index")


@dataclass(frozen=True, kw_only=True)
class Diabetes(DataSource):
    """Who of 768 Pima women aged 21 or more gets diabetes within five years (Smith et al. 1988; NIDDK)?

    Class 1 is tested_positive (268). Glucose, blood pressure, skin thickness, insulin and body mass index of 0 are missing
    values, and read so; half of the insulin is missing.

    Args:
        root: folder that holds diabetes.arff as Weka ships it; None means ``$DL_DATA/diabetes``, then the user cache.
        val_share, test_share: parts of the rows, in [0, 1), together below 1; 0 means no such part.
        split_seed: chooses which rows are val and which test.

    Raises:
        ValueError: the shares are out of range.
    """

    published: ClassVar[Published] = Published(
        name="diabetes",
        files=(
            Remote(
                name="diabetes.arff",
                urls=(
                    "https://raw.githubusercontent.com/bnjmn/weka/5f12404511a3eaeb2415ec1311bc510f14eae52b/wekadocs/data/diabetes.arff",
                ),
                size=37_443,
                sha256="01c38ba089121a39a4ee5bafb3c9bddd71e4337d8f0268c85a999a37c1a027e6",
            ),
        ),
        terms="none stated (NIDDK, as shipped with Weka)",
    )

    root: str | None = None
    val_share: float = 0.15
    test_share: float = 0.15
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_shares(self.val_share, self.test_share)

    def load(self) -> DataBundle:
        """Reads and splits the file. Raises StorageError (missing) or DataError (not the published one)."""
        raw = self.raw()
        parts = self.parts(raw)
        return bundle_of(raw, parts.train, parts.val, parts.test, name="diabetes")

    def parts(self, raw: RawTable) -> Parts:
        """Returns which rows of the whole table are train, val and test."""
        return split_rows(raw.targets, self.val_share, self.test_share, seed=self.split_seed)

    def raw(self) -> RawTable:
        """Reads the file. Raises StorageError or DataError."""
        path, text = read_published(self.published, self.published.files[0], root=self.root)
        return table_of(parse_arff(text, source=str(path)))


def table_of(sheet: Sheet) -> RawTable:
    """Returns Weka's table with its columns named in full and its zeros that stand for nothing as missing."""
    header = tuple(NAMES[name] for name in sheet.header)
    missing = {header.index(name) for name in ZERO_IS_MISSING}
    rows = [["" if place in missing and float(cell) == 0 else cell for place, cell in enumerate(row)] for row in sheet.rows]
    raw = raw_table(replace(sheet, header=header, rows=rows), "diabetes", positive="tested_positive")
    return replace(raw, notes=(*raw.notes, f"a zero is read as missing in {', '.join(ZERO_IS_MISSING)}"))
