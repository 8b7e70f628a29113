"""Splits that lie whole in memory, and how to cut one into parts with the same class shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.contracts import Batch
from dlcli.randomness import SampleKeys


class MemorySplit:
    """A whole split in one tensor on one device; a batch is one gather, with no worker and no copy in between.

    Images are kept channels last, so batches come out in that memory format at no cost.

    Args:
        inputs: uint8 images (N, C, H, W), given out as float32 / 255; or float32 in raw units, images (N, C, H, W)
            in [0, 1] or tables (N, D), given out as they are.
        targets: class numbers (N,), made int64.
        index: int64 (N,), the examples' positions in the split that this is a part of; None means 0 … N - 1.

    Raises:
        ValueError: the lengths differ, or ``inputs`` is neither uint8 nor float32.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, *, index: Tensor | None = None) -> None:
        if inputs.dtype not in {torch.uint8, torch.float32}:
            raise ValueError(f"inputs must be uint8 or float32, got {inputs.dtype}")
        self.inputs = inputs.contiguous(memory_format=torch.channels_last) if inputs.ndim == 4 else inputs.contiguous()
        self.targets = targets.to(torch.int64)
        self.index = torch.arange(len(targets), device=targets.device) if index is None else index
        if not len(self.inputs) == len(self.targets) == len(self.index):
            lengths = f"{len(self.inputs)}, {len(self.targets)} and {len(self.index)}"
            raise ValueError(f"inputs, targets and index must be equally long, got {lengths}")

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yields the examples at positions ``order`` (int64) in that order, ``size`` at a time, the last one shorter.

        Raises:
            ValueError: ``size`` is below 1.
        """
        if size < 1:
            raise ValueError(f"the batch size must be at least 1, got {size}")
        order = order.to(self.targets.device)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            inputs = self._gather(rows)
            if inputs.dtype == torch.uint8:
                inputs = inputs.to(torch.float32).div_(255)
            yield Batch(inputs, self.targets.index_select(0, rows), self.index.index_select(0, rows))

    def relabelled(self, numbers: Tensor) -> MemorySplit:
        """Returns the split with ``numbers[k]``, int64 (P,), in place of class number k."""
        return MemorySplit(self.inputs, numbers.to(self.targets.device)[self.targets], index=self.index)

    def select(self, rows: Tensor) -> MemorySplit:
        """Returns the part with the examples at ``rows`` (int64); they keep their original ``index``."""
        rows = rows.to(self.targets.device)
        return MemorySplit(self._gather(rows), self.targets.index_select(0, rows), index=self.index.index_select(0, rows))

    def to(self, device: torch.device) -> MemorySplit:
        """Returns the split with its batches on ``device``; nothing is copied where it is there already."""
        return MemorySplit(self.inputs.to(device), self.targets.to(device), index=self.index.to(device))

    def _gather(self, rows: Tensor) -> Tensor:
        """The inputs at ``rows``: gathered as (N, H, W, C), which is how they lie in memory, and seen as (N, C, H, W)."""
        if self.inputs.ndim != 4:
            return self.inputs.index_select(0, rows)
        return self.inputs.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class Holdout:
    """Two disjoint sets of positions that are the whole together, each in ascending order, int64."""

    rest: Tensor
    held: Tensor


def stratified_subset(targets: Tensor, size: int, *, seed: int) -> Tensor:
    """Chooses ``size`` examples with the class shares of the whole.

    Each class gets its share rounded by the method of largest remainders; where ``size`` allows it, every class that
    occurs gets at least one example. The choice depends on ``targets``, ``size`` and ``seed`` alone.

    Args:
        targets: class numbers, int64 (N,), on the CPU.
        size: how many, in [1, N].
        seed: any integer.

    Returns:
        Positions in ascending order, int64 (size,).

    Raises:
        ValueError: ``size`` is out of range.
    """
    if not 1 <= size <= len(targets):
        raise ValueError(f"expected a number of examples in 1 … {len(targets)}, got {size}")
    return _choose(targets, size, seed=seed, purpose="subset")


def stratified_holdout(targets: Tensor, size: int, *, seed: int) -> Holdout:
    """Holds ``size`` examples back with the class shares of the whole; see :func:`stratified_subset`.

    A rare class goes to the rest first, so what is left for training knows every class wherever that is possible.

    Args:
        targets: class numbers, int64 (N,), on the CPU.
        size: how many to hold back, in [1, N - 1].
        seed: any integer.

    Raises:
        ValueError: ``size`` is out of range.
    """
    if not 1 <= size < len(targets):
        raise ValueError(f"expected a number of held-back examples in 1 … {len(targets) - 1}, got {size}")
    rest = _choose(targets, len(targets) - size, seed=seed, purpose="holdout")
    is_held = torch.ones(len(targets), dtype=torch.bool)
    is_held[rest] = False
    return Holdout(rest, is_held.nonzero().flatten())


def _choose(targets: Tensor, size: int, *, seed: int, purpose: str) -> Tensor:
    """The ``size`` positions whose hash is smallest within their class, ascending."""
    counts = targets.bincount()
    wanted = _allocate(counts, size)
    shuffled = SampleKeys(seed, torch.arange(len(targets))).bits("data/" + purpose, 0, ()).argsort(stable=True)
    by_class = shuffled[targets[shuffled].argsort(stable=True)]
    rank = torch.arange(len(targets)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    return by_class[rank < wanted.repeat_interleave(counts)].sort().values


def _allocate(counts: Tensor, size: int) -> Tensor:
    """Shares ``size`` out over classes by largest remainders, ties to the lower class; exact, in integers."""
    total = int(counts.sum())
    wanted = counts * size // total
    remainder = counts * size % total
    wanted[remainder.argsort(descending=True, stable=True)[: size - int(wanted.sum())]] += 1
    present = counts > 0
    if size >= int(present.sum()):
        for empty in (present & (wanted == 0)).nonzero().flatten().tolist():
            wanted[wanted.argmax()] -= 1
            wanted[empty] = 1
    return wanted
