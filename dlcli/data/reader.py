"""Many image files → one tensor of pixels each time, and what could not be read."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcli.data.decode import decode
from dlcli.data.layout import Files
from dlcli.errors import DlcliError

Request = tuple[list[int], float]  # rows of the files, and the share of the shorter side to keep


@dataclass(frozen=True, eq=False)
class Images:
    """Some decoded images.

    Args:
        pixels: uint8 (N, S, S, C); black where an image could not be read.
        errors: position and reason of each one that could not.
        seen: width, height and mode of each file, None where it could not be read.
    """

    pixels: Tensor
    errors: tuple[tuple[int, DlcliError], ...]
    seen: tuple[tuple[int, int, str] | None, ...] = ()

    def pin_memory(self) -> Images:
        """Returns them in page-locked memory, from which copies to a GPU run beside everything else."""
        return replace(self, pixels=self.pixels.pin_memory())


@dataclass(frozen=True, eq=False)
class Requests:
    """Rows cut into batches: which, how many at a time, and the share of the shorter side to keep."""

    rows: Tensor
    size: int
    crop: float

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.size)

    def __iter__(self) -> Iterator[Request]:
        # Lists, for a tensor would cross to a worker through a file descriptor of its own.
        return ((self.rows[at : at + self.size].tolist(), self.crop) for at in range(0, len(self.rows), self.size))


@dataclass(frozen=True, eq=False)
class Reader:
    """Decodes rows of a list of files; goes to the workers.

    Args:
        size, channels: of the decoded square.
    """

    files: Files
    size: int
    channels: int

    def __getitem__(self, request: Request) -> Images:
        """Returns the images at the rows of ``request``, which also says the share of the shorter side to keep."""
        rows, crop = request
        pixels = np.empty((len(rows), self.size, self.size, self.channels), dtype=np.uint8)
        errors = [(at, error) for at, row in enumerate(rows) if isinstance(error := self._put(pixels[at], row, crop), DlcliError)]
        return Images(torch.from_numpy(pixels), tuple(errors))

    def read(self, rows: Tensor, crop: float) -> Images:
        """Returns the images at ``rows`` (int64), decoded in threads: Pillow lets them run side by side."""
        pixels = np.empty((len(rows), self.size, self.size, self.channels), dtype=np.uint8)
        pool = ThreadPoolExecutor(max_workers=os.cpu_count())
        try:
            results = list(pool.map(lambda each: self._put(pixels[each[0]], each[1], crop), enumerate(rows.tolist())))
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest
        errors = tuple((at, result) for at, result in enumerate(results) if isinstance(result, DlcliError))
        seen = tuple(None if isinstance(result, DlcliError) else result for result in results)
        return Images(torch.from_numpy(pixels), errors, seen)

    def _put(self, target: NDArray[np.uint8], row: int, crop: float) -> tuple[int, int, str] | DlcliError:
        """Decodes one image into its place; an error is returned, for one that crosses a process would lose its form.

        Copied by numpy: torch would share so small a copy out to all its threads, and wait for them.
        """
        try:
            decoded = decode(self.files.path(row), size=self.size, channels=self.channels, crop=crop)
        except DlcliError as error:
            target[...] = 0
            return error
        target[...] = decoded.pixels.permute(1, 2, 0).numpy()
        return decoded.width, decoded.height, decoded.mode
