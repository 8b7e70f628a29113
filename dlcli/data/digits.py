"""Digits: scikit-learn's 1,797 handwritten digits of 8 x 8 grey pixels; a whole run takes seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlcli.contracts import DataBundle, DataSource, DataSpec
from dlcli.data.memory import MemorySplit, stratified_holdout

_VAL_SHARE = 0.15
_TEST_SHARE = 0.15
_BRIGHTEST = 16.0


@dataclass(frozen=True, kw_only=True)
class Digits(DataSource):
    """The test part of Alpaydin and Kaynak's "Optical recognition of handwritten digits" (UCI 1998), from scikit-learn.

    A pixel counts the ink in a 4 x 4 block, 0 … 16; here divided by 16. Train, val and test are 70, 15 and 15 %,
    stratified. ``index`` counts within each split.

    Args:
        split_seed: chooses which images are val and which test.
    """

    split_seed: int = 0

    def load(self) -> DataBundle:
        """Reads the set from the installed scikit-learn and splits it."""
        # Loads scipy as well (about a second): only who uses the set pays.
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = torch.from_numpy(bunch.images.astype(np.float32) / np.float32(_BRIGHTEST))[:, None]
        targets = torch.from_numpy(bunch.target.astype(np.int64))
        outer = stratified_holdout(targets, round(_TEST_SHARE * len(targets)), seed=self.split_seed)
        inner = stratified_holdout(targets[outer.rest], round(_VAL_SHARE * len(targets)), seed=self.split_seed)
        train = outer.rest[inner.rest]

        def part(rows: Tensor) -> MemorySplit:
            return MemorySplit(images[rows], targets[rows])

        return DataBundle(_spec(images[train]), part(train), part(outer.rest[inner.held]), part(outer.held))


def _spec(train_images: Tensor) -> DataSpec:
    """The data's spec; mean and std over all pixels of the train images."""
    return DataSpec(
        name="digits",
        shape=(1, 8, 8),
        classes=tuple("0123456789"),
        mean=(float(train_images.double().mean()),),
        std=(float(train_images.double().std(correction=0)),),
        # No radii are published for this set: linf as for MNIST, l2 halved for its twelfth of the pixels.
        epsilon={"linf": 0.3, "l2": 1.0},
    )
