"""Splits whose images stay on disk: each batch is decoded when its turn comes, ahead of time where there are workers.

Every image is decoded to the same square of ``size`` pixels, uint8, so that a batch is one tensor that crosses from a
worker and to the device at a quarter of the bytes of floats; division by 255, augmentation and all that follows run on
the device as for data in memory. Which images make a batch is decided by the caller's order alone: nothing is drawn in
here, so the number of workers changes no result, and a run resumes at any step by loading only what is still to come.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dlcli.contracts import Batch
from dlcli.data.reader import Images, Requests
from dlcli.data.workers import Loader


class StreamSplit:
    """A split that lies on disk; see :class:`dlcli.contracts.Split`.

    Args:
        loader: shared with the other splits of the data set.
        rows: the examples' rows in the loader's files, int64 (N,), on the CPU.
        targets: class numbers (N,).
        crop: share of the shorter side that is kept, in (0, 1].
        index: positions in the split that this is a part of, int64 (N,); None means 0 … N - 1.
        device: where the batches are wanted.
    """

    def __init__(
        self,
        loader: Loader,
        rows: Tensor,
        targets: Tensor,
        *,
        crop: float = 1.0,
        index: Tensor | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.loader = loader
        self.rows = rows
        self.crop = crop
        self.device = device or torch.device("cpu")
        self.targets = targets.to(self.device, torch.int64)
        self.index = (torch.arange(len(rows)) if index is None else index).to(self.device)

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yields the examples at positions ``order`` (int64) in that order, ``size`` at a time, the last one shorter.

        Raises:
            ValueError: ``size`` is below 1.
            DataError, StorageError: an image cannot be read; it is named.
        """
        order = order.cpu()
        for start, images in zip(range(0, len(order), max(size, 1)), self.read(order, size), strict=True):
            if images.errors:
                raise images.errors[0][1]
            at = order[start : start + size].to(self.device)
            pixels = images.pixels.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
            inputs = pixels.to(torch.float32).div_(255)
            yield Batch(inputs, self.targets.index_select(0, at), self.index.index_select(0, at))

    def read(self, order: Tensor, size: int) -> Iterator[Images]:
        """Yields the decoded images at positions ``order`` on the CPU, ``size`` at a time; what cannot be read is said in them.

        Raises:
            ValueError: ``size`` is below 1.
        """
        if size < 1:
            raise ValueError(f"the batch size must be at least 1, got {size}")
        return self.loader.stream(Requests(self.rows[order.cpu()], size, self.crop), pin=self.device.type == "cuda")

    def relabelled(self, numbers: Tensor) -> StreamSplit:
        """Returns the split with ``numbers[k]``, int64 (P,), in place of class number k."""
        targets = numbers.to(self.device)[self.targets]
        return StreamSplit(self.loader, self.rows, targets, crop=self.crop, index=self.index, device=self.device)

    def select(self, rows: Tensor) -> StreamSplit:
        """Returns the part with the examples at ``rows`` (int64); they keep their original ``index``."""
        at = rows.to(self.device)
        targets, index = self.targets.index_select(0, at), self.index.index_select(0, at)
        return StreamSplit(self.loader, self.rows[rows.cpu()], targets, crop=self.crop, index=index, device=self.device)

    def to(self, device: torch.device) -> StreamSplit:
        """Returns the split with its batches on ``device``."""
        return StreamSplit(self.loader, self.rows, self.targets, crop=self.crop, index=self.index, device=device)
