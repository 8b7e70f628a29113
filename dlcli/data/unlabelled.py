"""Images without labels, batch by batch: read as training reads them, or through the step that a data set owns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dlcli.data.decode import decode, decode_whole, shown
from dlcli.data.ingest import Ingest
from dlcli.errors import DataError, DlcliError

THUMBNAIL = 112  # pixels of a photo's longer side, for people


@dataclass(frozen=True, eq=False)
class Read:
    """One image.

    Args:
        image: float32 (C, H, W) in [0, 1].
        photo: uint8 (h, w, 3), what it was made of, small; None where it is what the network sees anyway.
        note: what the data set's step has to say.
    """

    image: Tensor
    photo: Tensor | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files become inputs.

    Args:
        size, channels: of the square that a network was trained on.
        crop: share of the shorter side that is kept, in (0, 1], as for val and test.
        ingest: the data set's own step, or None.
    """

    size: int
    channels: int
    crop: float = 1.0
    ingest: Ingest | None = None

    def one(self, path: Path) -> Read | DlcliError:
        """Reads one file; what is wrong with it is returned."""
        try:
            if self.ingest is None:
                decoded = decode(path, size=self.size, channels=self.channels, crop=self.crop)
                return Read(decoded.pixels.float() / 255)
            photo = decode_whole(path, longest=self.ingest.longest).pixels
        except DlcliError as error:
            return error
        try:
            made = self.ingest(photo)
        except DataError as error:
            return DataError(f"{shown(path)}: {error.message}", hint=error.hint)
        return Read(made.image, _small(photo) if made.changed else None, made.note)


def batches(files: Sequence[Path], reading: Reading, *, size: int) -> Iterator[list[Read | DlcliError]]:
    """Yields the files' images or errors in order, ``size`` at a time, read in threads; never more than one batch is held."""
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        for start in range(0, len(files), size):
            yield list(pool.map(reading.one, files[start : start + size]))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest


def _small(photo: Tensor) -> Tensor:
    """A photo, uint8 (3, H, W), as a thumbnail, uint8 (h, w, 3)."""
    share = min(1.0, THUMBNAIL / max(photo.shape[1:]))
    size = [max(1, round(length * share)) for length in photo.shape[1:]]
    small = torch.nn.functional.interpolate(photo[None].float(), size=size, mode="area")[0]
    return small.round().to(torch.uint8).permute(1, 2, 0).contiguous()
