"""Rectangles in images: drawn by area and shape, and as masks. A box is (top, left, height, width) in whole pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dlcli.augment.affine import format_of
from dlcli.randomness import SampleKeys

TRIES = 10


def draw_boxes(
    rng: SampleKeys, purpose: str, step: int, *, area: tuple[float, float], ratio: tuple[float, float], size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Returns one box per example, int64 (N, 4), somewhere in the image, and whether there is one, bool (N,).

    The area is uniform in its range, the ratio of width to height uniform in its logarithm. What would not fit into the image is
    drawn again, as in Szegedy et al. 2015 ("Going deeper with convolutions", §6) and Zhong et al. 2020 ("Random erasing data
    augmentation", algorithm 1); after ten tries there is no box. All ten are drawn at once, so nothing waits for the device.

    Args:
        area: smallest and largest share of the image's area, in (0, 1].
        ratio: smallest and largest width / height.
        size: height and width of the images, in pixels.
    """
    height, width = size
    areas = rng.uniform(purpose + "/area", step, (TRIES,), low=area[0], high=area[1]) * (height * width)
    ratios = rng.uniform(purpose + "/ratio", step, (TRIES,), low=math.log(ratio[0]), high=math.log(ratio[1])).exp()
    heights, widths = (areas / ratios).sqrt().round().long(), (areas * ratios).sqrt().round().long()
    fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
    first = fits.long().argmax(dim=1, keepdim=True)
    sides = [values.gather(1, first)[:, 0].clamp(max=limit) for values, limit in ((heights, height), (widths, width))]
    return torch.stack([*place(rng, purpose, step, sides, size), *sides], dim=1), fits.any(dim=1)


def place(rng: SampleKeys, purpose: str, step: int, sides: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
    """Returns top and left, int64 (N,) each, of boxes with these heights and widths: every place inside equally likely."""
    drawn = (rng.uniform(f"{purpose}/{name}", step) for name in ("top", "left"))
    return [(unit * (limit - side + 1)).long() for unit, limit, side in zip(drawn, size, sides, strict=True)]


def replace_inside(images: Tensor, boxes: Tensor, other: Tensor) -> Tensor:
    """Returns the images (N, C, H, W) with ``other`` where the boxes (N, 4) are; boxes may hang over the border or be empty.

    Args:
        other: images of the same shape, or one value per channel, (1, C, 1, 1).
    """
    top, left, tall, wide = boxes[:, :, None].unbind(1)
    height, width = images.shape[2:]
    rows, columns = (torch.arange(length, device=boxes.device) for length in (height, width))
    row_in, column_in = (rows >= top) & (rows < top + tall), (columns >= left) & (columns < left + wide)
    if format_of(images) == torch.contiguous_format:
        return torch.where((row_in[:, :, None] & column_in[:, None, :])[:, None], other, images)
    # Where channels are innermost, a row of pixels with their channels is one long run: many times faster than runs of three.
    channels = images.shape[1]
    inside = row_in[:, :, None] & column_in.repeat_interleave(channels, dim=1)[:, None, :]
    own, new = (
        values.expand(-1, -1, -1, width).permute(0, 2, 3, 1).reshape(len(values), -1, width * channels)
        for values in (images, other)
    )
    return torch.where(inside, new, own).view(-1, height, width, channels).permute(0, 3, 1, 2)
