"""Changes of colour, each image by its own amount; those of AutoAugment (Cubuk et al. 2019, table 6) that keep the geometry.

Images are (N, C, H, W) in [0, 1], amounts (N,). With three channels grey is Rec. 601 luma, with any other number their mean.
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)
_FINE = 1 << 16


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Returns the images times ``factor``: 0 is black, 1 the image."""
    return (images * _each(factor)).clamp_(0.0, 1.0)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Returns each image moved away from its mean grey (factor above 1) or towards it (below; 0 is plain grey)."""
    # A sum of whole numbers is the same in any order, so also in a batch of any size.
    whole = (grey(images) * _FINE).round_().long().sum(dim=(1, 2, 3), keepdim=True)
    mean = whole.to(images.dtype) / (_FINE * images.shape[2] * images.shape[3])
    return _blend(images, mean, factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Returns each pixel moved away from its grey or towards it (0 is a grey image); one channel has no colour to change."""
    return _blend(images, grey(images), factor) if images.shape[1] > 1 else images


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Returns each image moved away from its blurred self or towards it; the border stays, as in Pillow.

    The blur is 3 x 3 with weight 5 / 13 in the middle and 1 / 13 around it.
    """
    if min(images.shape[2:]) < 3:
        return images
    rows = images[:, :, :-2] + images[:, :, 1:-1] + images[:, :, 2:]
    around = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    middle = images[:, :, 1:-1, 1:-1]
    result = images.clone()
    result[:, :, 1:-1, 1:-1] = _blend(middle, (around + 4 * middle) / 13, factor)
    return result


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Returns the images with only the first ``bits`` (whole numbers, 0 to 8) of each value's eight."""
    step = _each(torch.exp2(8 - bits))
    return (images * 255).round_().div_(step).floor_().mul_(step).div_(255)


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Returns the images with the values from ``threshold`` on inverted."""
    return torch.where(images >= _each(threshold), 1.0 - images, images)


def autocontrast(images: Tensor) -> Tensor:
    """Returns each channel stretched to [0, 1]; a channel of one value stays."""
    lowest, highest = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    flat = lowest == highest
    lowest, span = lowest.masked_fill(flat, 0.0), (highest - lowest).masked_fill(flat, 1.0)
    return ((images - lowest) / span).clamp_(0.0, 1.0)


def equalize(images: Tensor) -> Tensor:
    """Returns each channel with its 256 values spread so that all are about equally frequent; Pillow's formula."""
    planes = (images * 255).round_().long().flatten(2)
    counts = torch.zeros(*planes.shape[:2], 256, dtype=torch.long, device=images.device)
    counts.scatter_add_(2, planes, torch.ones_like(planes))
    below = counts.cumsum(dim=2) - counts
    highest = planes.amax(dim=2, keepdim=True)
    step = (planes.shape[2] - counts.gather(2, highest)) // 255
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255)
    found = (table.gather(2, planes).to(images.dtype) / 255).view(images.shape)
    return torch.where((step == 0)[..., None], images, found)


def grey(images: Tensor) -> Tensor:
    """Returns the images without colour, (N, 1, H, W)."""
    if images.shape[1] != len(LUMA):
        return images.mean(dim=1, keepdim=True)
    red, green, blue = (share * images[:, channel : channel + 1] for channel, share in enumerate(LUMA))
    return red + green + blue


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (images * _each(factor) + other * _each(1.0 - factor)).clamp_(0.0, 1.0)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]
