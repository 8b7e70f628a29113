"""MNIST by hand: histograms of oriented gradients, the best features before networks learned their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.contracts import Column, DataBundle, DataSource, DataSpec
from dlcli.data.memory import MemorySplit, stratified_holdout
from dlcli.data.mnist import TRAIN_SIZE, read_mnist
from dlcli.data.splits import check_val_size

_SIZE = 28
_CLIP = 0.2  # Dalal and Triggs 2005, section 6.4
_CHUNK = 1000


@dataclass(frozen=True, kw_only=True)
class MNISTHog(DataSource):
    """MNIST's images as histograms of oriented gradients; see :func:`hog`. Parts as in :class:`~dlcli.data.mnist.MNIST`.

    Args:
        root: folder that holds the four IDX files of MNIST; None means those that ship with dlcli.
        cell: side of a cell in pixels: 4, 7 or 14.
        orientations: directions that are told apart in half a turn, at least 2.
        split_seed: chooses which images are val.
        val_size: how many images are val, in [1, 59999].

    Raises:
        ValueError: a value is out of its range.
    """

    root: str | None = None
    cell: int = 7
    orientations: int = 9
    split_seed: int = 0
    val_size: int = 5000

    def __post_init__(self) -> None:
        if self.cell not in {4, 7, 14}:
            raise ValueError(f"cell must be 4, 7 or 14 pixels, got {self.cell}")
        if self.orientations < 2:
            raise ValueError(f"orientations must be at least 2, got {self.orientations}")
        check_val_size(self.val_size, TRAIN_SIZE)

    def load(self) -> DataBundle:
        """Reads MNIST, checks it and computes the features. Raises DataError or StorageError."""
        images = read_mnist(self.root)
        features, test = (self._features(part.images) for part in (images.train, images.test))
        labels = images.train.labels.long()
        holdout = stratified_holdout(labels, self.val_size, seed=self.split_seed)
        train = MemorySplit(features[holdout.rest], labels[holdout.rest])
        val = MemorySplit(features[holdout.held], labels[holdout.held])
        names = feature_names(_SIZE, cell=self.cell, orientations=self.orientations)
        return DataBundle(_spec(train.inputs, names), train, val, MemorySplit(test, images.test.labels))

    def _features(self, images: Tensor) -> Tensor:
        grey = images.reshape(-1, _SIZE, _SIZE)
        parts = [grey[start : start + _CHUNK].float() / 255 for start in range(0, len(grey), _CHUNK)]
        return torch.cat([hog(part, cell=self.cell, orientations=self.orientations) for part in parts])


def hog(images: Tensor, *, cell: int, orientations: int) -> Tensor:
    """Returns histograms of oriented gradients of grey images, (N, F).

    Gradients are differences of the pixels beside ([-1, 0, 1], edges repeated). Each pixel votes with its gradient's length for
    the two nearest of the directions, which divide half a turn (a sign of contrast does not matter); votes are summed
    over cells; each 2 x 2 cells make a block, normalised to length 1, clipped at 0.2 and normalised again (L2-Hys). Blocks
    overlap, so each inner cell occurs four times.
    Source: Dalal and Triggs 2005, "Histograms of oriented gradients for human detection", sections 6.2 to 6.4; votes are
    not shared between neighbouring cells.

    Args:
        images: float (N, H, W); H and W multiples of ``cell``, at least two cells each.
        cell: side of a cell in pixels.
        orientations: directions in half a turn.
    """
    padded = torch.nn.functional.pad(images[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    cells = _votes(across, down, cell=cell, orientations=orientations)
    rows, columns = cells.shape[1] - 1, cells.shape[2] - 1
    # For each block its four cells, each with its directions.
    blocks = torch.cat([cells[:, top : rows + top, left : columns + left] for top in (0, 1) for left in (0, 1)], dim=3)
    blocks = torch.nn.functional.normalize(blocks, dim=3, eps=1e-6).clamp_max_(_CLIP)
    return torch.nn.functional.normalize(blocks, dim=3, eps=1e-6).flatten(1)


def _votes(across: Tensor, down: Tensor, *, cell: int, orientations: int) -> Tensor:
    """Histograms of the directions of gradients (N, H, W), (N, rows, columns, orientations): sums over the cells."""
    count, height, width = across.shape
    rows, columns = height // cell, width // cell
    # Most pixels of a drawing have no gradient: only the others are looked at.
    pixels = ((across != 0) | (down != 0)).flatten().nonzero().flatten()
    image, row, column = pixels // (height * width), pixels // width % height, pixels % width
    first = ((image * rows + row // cell) * columns + column // cell) * orientations
    across, down = across.flatten()[pixels], down.flatten()[pixels]
    length = torch.hypot(across, down)
    # Direction in units of the histogram's bins; bin b is centred on (b + 0.5) · 180° / orientations.
    place = torch.atan2(down, across).remainder(math.pi) * (orientations / math.pi) - 0.5
    lower = place.floor()
    upper_share = place - lower
    bins = lower.long() % orientations
    size = count * rows * columns * orientations
    sums = torch.bincount(first + bins, weights=length * (1 - upper_share), minlength=size)
    sums += torch.bincount(first + (bins + 1) % orientations, weights=length * upper_share, minlength=size)
    return sums.to(across.dtype).reshape(count, rows, columns, orientations)


def feature_names(size: int, *, cell: int, orientations: int) -> tuple[str, ...]:
    """Returns what each feature of :func:`hog` is, for square images: its block, the cell in it, and the direction in degrees."""
    blocks = size // cell - 1
    degrees = [f"{(number + 0.5) * 180 / orientations:.0f}°" for number in range(orientations)]
    return tuple(
        f"block {row},{column} {corner} {direction}"
        for row in range(blocks)
        for column in range(blocks)
        for corner in ("upper left", "upper right", "lower left", "lower right")
        for direction in degrees
    )


def _spec(train: Tensor, names: tuple[str, ...]) -> DataSpec:
    """The data's spec, measured on train."""
    low, high = (values.tolist() for values in train.aminmax(dim=0))
    mean = train.mean(dim=0)
    std = (train.square().mean(dim=0) - mean.square()).clamp_min(0).sqrt()
    return DataSpec(
        name="mnist_hog",
        shape=(len(names),),
        classes=tuple("0123456789"),
        mean=tuple(mean.tolist()),
        std=tuple(torch.where(std > 0, std, 1.0).tolist()),
        kind="table",
        epsilon={},
        columns=tuple(Column(name=name, low=one, high=other) for name, one, other in zip(names, low, high, strict=True)),
    )
