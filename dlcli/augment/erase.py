"""Parts of an image blotted out, so that no single part decides: cutout and random erasing."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.augment.boxes import draw_boxes, replace_inside
from dlcli.randomness import SampleKeys

AREA, RATIO = (0.02, 0.33), (0.3, 3.3)


def draw_middles(rng: SampleKeys, step: int, size: tuple[int, int]) -> Tensor:
    """Returns row and column of each square's middle, int64 (N, 2): any pixel, so a square may hang over the border."""
    height, width = size
    pixel = rng.integers("augment/cutout", step, height * width)
    return torch.stack([pixel // width, pixel % width], dim=1)


def cutout_(images: Tensor, middles: Tensor, *, side: int, value: Tensor) -> Tensor:
    """Sets a square of ``side`` pixels around ``middles`` (N, 2) to ``value`` (C,), in place, and returns the images.

    DeVries and Taylor 2017, "Improved regularization of convolutional neural networks with cutout", §3.2. The square begins
    ``side // 2`` pixels above and left of its middle.
    """
    height, width = images.shape[2:]
    offsets = torch.arange(side, device=images.device) - side // 2
    # A middle is a pixel of the image, so places outside can stand for the border pixel, which is in the square too.
    rows, columns = ((middles[:, axis, None] + offsets).clamp(0, size - 1) for axis, size in ((0, height), (1, width)))
    images[torch.arange(len(images), device=images.device)[:, None, None], :, rows[:, :, None], columns[:, None, :]] = value
    return images


def draw_holes(rng: SampleKeys, step: int, *, probability: float, size: tuple[int, int]) -> Tensor:
    """Returns the box to erase in each image, int64 (N, 4); empty boxes where the image is spared.

    An area share in [0.02, 0.33] and width / height in [0.3, 3.3], as in Zhong et al. 2020, "Random erasing data augmentation",
    §4 with torchvision's values.
    """
    boxes, fitting = draw_boxes(rng, "augment/erase", step, area=AREA, ratio=RATIO, size=size)
    return boxes * (fitting & (rng.uniform("augment/erase", step) < probability))[:, None]


def erase_(images: Tensor, boxes: Tensor, *, value: Tensor) -> Tensor:
    """Sets the pixels in the boxes (N, 4) to ``value`` (C,), in place, and returns the images."""
    if images.device.type != "cpu":
        return _erase_without_waiting_(images, boxes, value)
    rows = (boxes[:, 2] > 0).nonzero()[:, 0]
    images[rows] = replace_inside(images[rows], boxes[rows], value[None, :, None, None])
    return images


def _erase_without_waiting_(images: Tensor, boxes: Tensor, value: Tensor) -> Tensor:
    """The same for accelerators, where asking which images have a hole would wait for the device."""
    return images.copy_(replace_inside(images, boxes, value[None, :, None, None]))
