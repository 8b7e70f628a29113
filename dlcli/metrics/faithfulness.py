"""Insertion and deletion: whether the pixels that a map points at carry the class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Images (B, C, H, W) and the rows that they were made of, int64 (B,), to the chance of each one's class, (B,).
Ask = Callable[[Tensor, Tensor], Tensor]
_KERNEL, _SIGMA, _SIDE = 11, 5.0, 224  # the blur of Petsiuk et al. 2018, made for images of 224 pixels


@dataclass(frozen=True)
class Faithfulness:
    """Areas under the curves of N images and M maps of each, in [0, 1], float32 (N, M).

    Args:
        insertion: chance of the class while pixels come into a blurred image, the highest of the map first; high is good.
        deletion: the same while they are replaced by the data's mean; low is good.
    """

    insertion: Tensor
    deletion: Tensor

    @property
    def score(self) -> Tensor:
        """Insertion less deletion, in [-1, 1]."""
        return self.insertion - self.deletion

    def percentile(self) -> Tensor:
        """Returns which share of the other maps each image's first map beats; a draw counts half. float32 (N,)."""
        first, others = self.score[:, :1], self.score[:, 1:]
        return (first > others).float().mean(dim=1) + (first == others).float().mean(dim=1) / 2

    def margin(self) -> Tensor:
        """Returns the lead of each image's first map over the mean of the others, in units of :attr:`score`, float32 (N,)."""
        return self.score[:, 0] - self.score[:, 1:].mean(dim=1)


def faithfulness(ask: Ask, images: Tensor, maps: Tensor, mean: Tensor, *, steps: int, chunk: int) -> Faithfulness:
    """Returns both areas (Petsiuk et al. 2018, §4.2), by the trapezoidal rule over ``steps`` equal shares of the pixels.

    Pixels of equal value go in the order in which they stand. A known limit: only ranks count, and the images on the way are
    such as no network was trained on (Gomez et al. 2022).

    Args:
        images: (N, C, H, W).
        maps: (N, M, H, W).
        mean: what a deleted pixel shows, (C,) or one number for all channels.
        steps: at least 1.
        chunk: images at once.
    """
    place = maps.flatten(2).argsort(dim=2, descending=True, stable=True).argsort(dim=2)
    grey = mean.to(images).reshape(1, -1, 1, 1).expand_as(images)
    ends = ((blurred(images), images), (images, grey))
    insertion, deletion = (_areas(ask, before, after, place, steps=steps, chunk=chunk) for before, after in ends)
    return Faithfulness(insertion, deletion)


def blurred(images: Tensor) -> Tensor:
    """Returns the images through a Gaussian of 11 pixels and sigma 5 at 224 pixels, scaled down to theirs."""
    scale = min(1.0, max(min(images.shape[2:]) / _SIDE, 1 / 8))
    radius = max(2, round(_KERNEL // 2 * scale))
    along = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-(along**2) / (2 * max(_SIGMA * scale, 2.0) ** 2))
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 1, -1)
    padded = nn.functional.pad(images, (radius,) * 4, mode="replicate")
    rows = nn.functional.conv2d(padded, kernel, groups=images.shape[1])
    return nn.functional.conv2d(rows, kernel.transpose(2, 3), groups=images.shape[1])


def _areas(ask: Ask, before: Tensor, after: Tensor, place: Tensor, *, steps: int, chunk: int) -> Tensor:
    count, maps, pixels = place.shape
    cuts = torch.linspace(0, pixels, steps + 1, device=place.device).round().long()
    total = count * maps * len(cuts)
    chances = torch.empty(total, device=place.device)
    for start in range(0, total, chunk):
        item = torch.arange(start, min(start + chunk, total), device=place.device)
        row, which, step = item // (maps * len(cuts)), item // len(cuts) % maps, item % len(cuts)
        gone = (place[row, which] < cuts[step, None]).reshape(-1, 1, *before.shape[2:])
        chances[item] = ask(torch.where(gone, after[row], before[row]), row).float()
    return torch.trapezoid(chances.reshape(count, maps, -1), cuts / pixels, dim=2)
