"""IBM HR attrition: 1470 fictional employees, 237 of whom left; ships with the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dlcli.contracts import DataBundle, DataSource
from dlcli.data.csv import read_csv
from dlcli.data.raw_table import RawTable, raw_table
from dlcli.data.table import Parts, bundle_of, check_shares, split_rows

SHIPPED = Path(__file__).parent.parent / "assets" / "attrition" / "attrition.csv"

_FICTIONAL = "the employees are fictional: data scientists of IBM made the table up"
_RATING = ("Low", "Medium", "High", "Very_High")
# The scales in the order of the original's numbers, which the shipped file has as words.
ORDERS = {
    "BusinessTravel": ("Non-Travel", "Travel_Rarely", "Travel_Frequently"),
    "Education": ("Below_College", "College", "Bachelor", "Master", "Doctor"),
    "EnvironmentSatisfaction": _RATING,
    "JobInvolvement": _RATING,
    "JobSatisfaction": _RATING,
    "PerformanceRating": ("Excellent", "Outstanding"),
    "RelationshipSatisfaction": _RATING,
    "WorkLifeBalance": ("Bad", "Good", "Better", "Best"),
}


@dataclass(frozen=True, kw_only=True)
class Attrition(DataSource):
    """ "IBM HR Analytics Employee Attrition": who left? A fictional table made by IBM data scientists, MIT as in modeldata.

    Class 1 is Yes (16 %). Train, val and test are stratified; with 33 leavers in a test part of 220 its figures have wide
    intervals, so compare models by cross-validation.

    Args:
        drop: columns to leave out; EmployeeNumber is an identifier. Fairness is asked about Gender, Age and MaritalStatus.
        val_share, test_share: parts of the rows, in [0, 1), together below 1; 0 means no such part.
        split_seed: chooses which rows are val and which test.

    Raises:
        ValueError: the shares are out of range.
    """

    drop: Sequence[str] = ("EmployeeNumber",)
    val_share: float = 0.15
    test_share: float = 0.15
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_shares(self.val_share, self.test_share)

    def load(self) -> DataBundle:
        """Reads and splits the shipped file. Raises UsageError where ``drop`` names no column."""
        raw = self.raw()
        parts = self.parts(raw)
        return bundle_of(raw, parts.train, parts.val, parts.test, name="attrition")

    def parts(self, raw: RawTable) -> Parts:
        """Returns which rows of the whole table are train, val and test."""
        return split_rows(raw.targets, self.val_share, self.test_share, seed=self.split_seed)

    def raw(self) -> RawTable:
        """Reads the shipped file."""
        raw = raw_table(read_csv(SHIPPED), "Attrition", positive="Yes", drop=self.drop, orders=ORDERS)
        return replace(raw, notes=(_FICTIONAL, *raw.notes))
