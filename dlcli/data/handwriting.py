"""From a photo of one handwritten character to the form of MNIST and its kin: light strokes on black, in a box, centred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dlcli.data.ingest import Ingested
from dlcli.data.ink import Floats, Ink, Mask, ink_of
from dlcli.data.marks import marks_of
from dlcli.errors import DataError

_ENLARGED = 128  # pixels of the shorter side at least: in small images strokes would be a pixel or two
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, kw_only=True)
class Handwriting:
    """Finds the character in a photo and draws it as the set does.

    For MNIST (LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition", section
    III.A): black-and-white strokes, shrunk with their shape kept until the longer side is 20 pixels, which makes greys,
    and set into 28 x 28 so that the centre of mass is in the middle.

    Args:
        side: of the square, in pixels.
        box: pixels that the longer side of the character gets.
        centre: "mass" puts the centre of mass in the middle of the square, "box" the middle of the character's box.
        stroke: the least width of a stroke in pixels of the square; a finer pen is thickened to it. 0 leaves it as it is.
        what: what the set holds, for messages.
    """

    side: int = 28
    box: int = 20
    centre: Literal["mass", "box"] = "mass"
    stroke: float = 2.0
    what: str = "digit"

    @property
    def longest(self) -> int:
        """How many pixels the longer side of a photo should have at most."""
        return 640

    @property
    def purpose(self) -> str:
        """What it does, in a few words for people."""
        return f"ink found, cropped, fitted into {self.box} pixels and centred in {self.side} x {self.side}"

    def __call__(self, photo: Tensor) -> Ingested:
        """Returns the character in ``photo``, uint8 (3, H, W), as float32 (1, side, side). Raises DataError without ink."""
        grey: Floats = (photo.float().permute(1, 2, 0) @ torch.tensor(_LUMA) / 255).numpy()
        if self.is_own(grey):
            return Ingested(torch.from_numpy(grey)[None], changed=False)
        found = ink_of(_enlarged(grey))
        marks = marks_of(found)
        if marks is None:
            raise DataError(f"no ink found; expected a {self.what}")
        note = ""
        if marks.count > 1:
            note = f"{marks.count} marks as large as a {self.what} found, the largest was taken: crop the photo to one"
        return Ingested(torch.from_numpy(self._drawn(found, marks.mask))[None], note=note)

    def is_own(self, grey: Floats) -> bool:
        """Whether an image has the set's size and a black margin, and so needs nothing."""
        if grey.shape != (self.side, self.side):
            return False
        margin = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
        return bool(np.median(margin) < 0.02 and grey.max() > 0.2)

    def _drawn(self, found: Ink, mask: Mask) -> Floats:
        """The marks as the set draws them, float32 (side, side)."""
        strokes = _thickened(mask, self.stroke / self.box)
        rows, columns = (np.flatnonzero(strokes.any(axis=axis)) for axis in (1, 0))
        cut = strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
        scale = self.box / max(cut.shape)
        height, width = (max(1, round(length * scale)) for length in cut.shape)
        small = np.asarray(Image.fromarray(cut).resize((width, height), Image.Resampling.BOX))
        top, left = (self._start(small, axis) for axis in (0, 1))
        canvas = np.zeros((self.side, self.side), dtype=np.float32)
        canvas[top : top + height, left : left + width] = small / max(float(small.max()), 1e-6)
        return canvas

    def _start(self, small: Floats, axis: int) -> int:
        """Where the character starts along an axis, so that it is centred and stays inside."""
        length = small.shape[axis]
        middle = length / 2
        if self.centre == "mass":
            weights = small.sum(axis=1 - axis)
            middle = float((weights * (np.arange(length) + 0.5)).sum() / weights.sum())
        return int(min(max(round(self.side / 2 - middle), 0), self.side - length))


def _enlarged(grey: Floats) -> Floats:
    share = _ENLARGED / min(grey.shape)
    if share <= 1:
        return grey
    size = (round(grey.shape[1] * share), round(grey.shape[0] * share))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC)).clip(0, 1)


def _thickened(mask: Mask, least: float) -> Mask:
    """The strokes with a width of at least ``least`` of the longer side of what they draw."""
    from scipy import ndimage  # type: ignore[import-untyped]

    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    length = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    depth = ndimage.distance_transform_edt(mask)
    # Along the middle of a stroke the depth is half its width.
    ridge = depth[(depth >= ndimage.maximum_filter(depth, 3)) & mask]
    missing = (least * length - 2 * float(np.median(ridge))) / 2
    if missing < 0.5:
        return mask
    margin = int(missing) + 1
    wide = np.pad(mask, margin)
    return np.asarray(ndimage.distance_transform_edt(~wide) <= missing)
