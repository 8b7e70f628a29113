"""Breast cancer Wisconsin: 569 masses by 30 measurements of their cells; from scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dlcli.contracts import DataBundle, DataSource
from dlcli.data.raw_table import RawTable, numeric_table
from dlcli.data.table import Parts, bundle_of, check_shares, split_rows


@dataclass(frozen=True, kw_only=True)
class BreastCancer(DataSource):
    """ "Breast cancer Wisconsin (diagnostic)" (Street, Wolberg and Mangasarian 1993; UCI, CC BY 4.0), from scikit-learn.

    Class 0 is benign (357), class 1 malignant (212), the one that is looked for; scikit-learn numbers them the other way.

    Args:
        val_share, test_share: parts of the rows, in [0, 1), together below 1; 0 means no such part.
        split_seed: chooses which rows are val and which test.

    Raises:
        ValueError: the shares are out of range.
    """

    val_share: float = 0.15
    test_share: float = 0.15
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_shares(self.val_share, self.test_share)

    def load(self) -> DataBundle:
        """Reads the set from the installed scikit-learn and splits it, stratified."""
        raw = self.raw()
        parts = self.parts(raw)
        return bundle_of(raw, parts.train, parts.val, parts.test, name="breast_cancer")

    def parts(self, raw: RawTable) -> Parts:
        """Returns which rows of the whole table are train, val and test."""
        return split_rows(raw.targets, self.val_share, self.test_share, seed=self.split_seed)

    def raw(self) -> RawTable:
        """Reads the set from the installed scikit-learn."""
        # Loads scipy as well (about a second): only who uses the set pays.
        from sklearn.datasets import load_breast_cancer

        bunch = load_breast_cancer()
        names = [str(name) for name in bunch.feature_names]
        notes = ["class 1 (positive) is malignant; class 0 is benign"]
        return numeric_table(
            torch.from_numpy(bunch.data), names, torch.from_numpy(1 - bunch.target), ("benign", "malignant"), notes
        )
