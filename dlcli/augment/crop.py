"""Random crops: a window of a padded image, and a part of the image enlarged to its size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.augment.affine import Outside, format_of, sample
from dlcli.augment.boxes import draw_boxes
from dlcli.randomness import SampleKeys

RATIO = (3 / 4, 4 / 3)


def draw_corners(rng: SampleKeys, step: int, pixels: int) -> Tensor:
    """Returns top and left of each window in an image padded by ``pixels``, int64 (N, 2), uniform in [0, 2 · pixels]."""
    return rng.integers("augment/crop", step, 2 * pixels + 1, (2,))


def padded_crop(images: Tensor, corners: Tensor, *, pixels: int, outside: Outside) -> Tensor:
    """Returns for each image the window of its own size at ``corners`` (N, 2) of the image padded by ``pixels`` on every side.

    Whole pixels only, so nothing is blurred. (Lee et al. 2015, "Deeply-supervised nets", §3.1: CIFAR with 4 pixels.)

    Args:
        outside: what is padded with: "zero" (black) or "reflect" (the mirrored image, its border pixel not repeated).
    """
    count, channels, height, width = images.shape
    padded = nn.functional.pad(images, (pixels,) * 4, mode="reflect" if outside == "reflect" else "constant")
    channels_last = format_of(images) == torch.channels_last
    depth = channels if channels_last else 1
    if channels_last:
        padded = padded.permute(0, 2, 3, 1)
    else:
        corners = corners.repeat_interleave(channels, dim=0)
    # A row of a window is one piece of memory; all rows of all windows are copied by a single index.
    rows, columns = height + 2 * pixels, width + 2 * pixels
    pieces = padded.contiguous().view(-1).unfold(0, width * depth, depth)
    planes = torch.arange(len(corners), device=images.device)[:, None] * rows
    starts = (planes + corners[:, :1] + torch.arange(height, device=images.device)) * columns + corners[:, 1:]
    found = pieces[starts]
    if channels_last:
        return found.view(count, height, width, channels).permute(0, 3, 1, 2)
    return found.view(count, channels, height, width)


def draw_parts(rng: SampleKeys, step: int, *, smallest: float, size: tuple[int, int]) -> Tensor:
    """Returns the part of each image to enlarge, boxes (N, 4): an area share in [smallest, 1], width / height in [3/4, 4/3].

    Where ten tries give none that fits, it is the largest part in the middle whose shape is allowed (as in torchvision).
    """
    boxes, fitting = draw_boxes(rng, "augment/resized_crop", step, area=(smallest, 1.0), ratio=RATIO, size=size)
    height, width = size
    tall, wide = min(height, round(width / RATIO[0])), min(width, round(height * RATIO[1]))
    rest = [(height - tall) // 2, (width - wide) // 2, tall, wide]
    columns = [torch.where(fitting, own, other) for own, other in zip(boxes.unbind(1), rest, strict=True)]
    return torch.stack(columns, dim=1)


def resized_crop(images: Tensor, boxes: Tensor, *, mirrored: Tensor | None = None) -> Tensor:
    """Returns the part of each image in its box (N, 4), bilinearly enlarged to the image's size, contiguous.

    A part is never larger than the image, so no pixel is skipped and there is nothing to antialias: downscaling, where it
    matters, was done when the image was read.

    Args:
        mirrored: which images have left and right exchanged on the way, bool (N,).
    """
    height, width = images.shape[2:]
    top, left, tall, wide = boxes[:, :, None].float().unbind(1)
    x, y = _coordinates(left, wide, width), _coordinates(top, tall, height)
    if mirrored is not None:
        x = torch.where(mirrored[:, None], x.flip(1), x)
    return sample(images, torch.complex(x, torch.zeros_like(x)), torch.complex(torch.zeros_like(y), y))


def _coordinates(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Returns where the ``size`` output pixels lie in the input, (N, size), in grid_sample's units; never outside the box."""
    centres = torch.arange(size, device=start.device) + 0.5
    pixels = start + (centres * (length / size) - 0.5)
    pixels = torch.minimum(pixels.maximum(start), start + length - 1)
    return (2 * pixels + 1) / size - 1
