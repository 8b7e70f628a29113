"""Two digits of MNIST: the smallest real task of two classes, for networks with one output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from dlcli.contracts import DataBundle, DataSource
from dlcli.data.handwriting import Handwriting
from dlcli.data.mnist import SPEC, read_mnist
from dlcli.data.splits import Labelled, bundle_of, check_val_size

# How often each digit occurs in the published train labels.
COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)


@dataclass(frozen=True, kw_only=True)
class MNISTPair(DataSource):
    """The images of two digits of MNIST (see :class:`~dlcli.data.mnist.MNIST`); 0 and 1 are nearly linearly separable.

    Val is a stratified part of the published train images of these digits, train the rest, test the published test images
    of these digits. ``index`` counts within each split.

    Args:
        root: folder that holds the four IDX files of MNIST; None means those that ship with dlcli.
        negative, positive: the digits, 0 … 9, that are class 0 and class 1; unlike each other.
        split_seed: chooses which images are val.
        val_size: how many images are val, at least 1 and less than there are for training (12,665 for 0 and 1).

    Raises:
        ValueError: a digit or ``val_size`` is out of range.
    """

    ingest: ClassVar[Handwriting] = Handwriting()

    root: str | None = None
    negative: int = 0
    positive: int = 1
    split_seed: int = 0
    val_size: int = 1000

    def __post_init__(self) -> None:
        for name, digit in (("negative", self.negative), ("positive", self.positive)):
            if not 0 <= digit <= 9:
                raise ValueError(f"{name} must be a digit, 0 … 9, got {digit}")
        if self.negative == self.positive:
            raise ValueError(f"positive must be another digit than negative, got {self.positive} for both")
        check_val_size(self.val_size, COUNTS[self.negative] + COUNTS[self.positive])

    def load(self) -> DataBundle:
        """Reads MNIST, checks it and keeps the two digits; mean and std are theirs. Raises DataError or StorageError."""
        images = read_mnist(self.root)
        digits = (self.negative, self.positive)
        spec = replace(SPEC, name=f"mnist_{digits[0]}_{digits[1]}", classes=tuple(map(str, digits)), mean=(), std=())
        train, test = self._pair(images.train), self._pair(images.test)
        return bundle_of(spec, train, test, val_size=self.val_size, split_seed=self.split_seed)

    def _pair(self, part: Labelled) -> Labelled:
        rows = torch.isin(part.labels, torch.tensor([self.negative, self.positive])).nonzero().flatten()
        return Labelled(part.images[rows], (part.labels[rows] == self.positive).to(torch.int64))
