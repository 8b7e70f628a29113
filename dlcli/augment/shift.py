"""Random translation by whole pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.contracts import Augment
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class Shift(Augment):
    """Moves each image by its own whole number of pixels, uniform in [-pixels, pixels] along height and along width.

    What comes in from outside is 0, the background of MNIST and its relatives.

    Args:
        pixels: the largest shift, in pixels, at least 0.

    Raises:
        ValueError: ``pixels`` is negative.
    """

    pixels: int = 1

    def __post_init__(self) -> None:
        if self.pixels < 0:
            raise ValueError(f"pixels must be at least 0, got {self.pixels}")

    def __call__(self, inputs: Tensor, *, rng: SampleKeys, step: int) -> Tensor:
        """Returns shifted copies of images (N, C, H, W), in their memory format; only key and ``step`` decide a shift."""
        places = 2 * self.pixels + 1
        top, left = rng.integers("augment/shift", step, places, (2,)).unbind(1)
        height, width = inputs.shape[2:]
        padded = nn.functional.pad(inputs, (self.pixels,) * 4)
        # A view of all places**2 windows of each image, (N, top, left, H, W, C): the gather picks one of them.
        windows = padded.permute(0, 2, 3, 1).unfold(1, height, 1).unfold(2, width, 1).permute(0, 1, 2, 4, 5, 3)
        return windows[torch.arange(len(inputs), device=inputs.device), top, left].permute(0, 3, 1, 2)
