"""Mirror images."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.randomness import SampleKeys


def draw_flips(rng: SampleKeys, step: int, probability: float) -> Tensor:
    """Returns which images are mirrored, bool (N,)."""
    return rng.uniform("augment/flip", step) < probability


def flip_(images: Tensor, chosen: Tensor) -> Tensor:
    """Exchanges left and right of the images (N, C, H, W) that are ``chosen`` (N,), in place, and returns all of them."""
    if images.device.type != "cpu":
        return _flip_without_waiting_(images, chosen)
    rows = chosen.nonzero()[:, 0]
    images[rows] = images[rows].flip(3)
    return images


def _flip_without_waiting_(images: Tensor, chosen: Tensor) -> Tensor:
    """The same for accelerators, where asking which rows are chosen would wait for the device and flipping all costs little."""
    return images.copy_(torch.where(chosen[:, None, None, None], images.flip(3), images))
