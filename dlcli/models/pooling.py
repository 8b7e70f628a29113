"""Pooling to a given size whose gradients repeat on a GPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AdaptiveMaxPool2d(nn.AdaptiveMaxPool2d):
    """``nn.AdaptiveMaxPool2d`` to a square, whose gradient is summed in the same order each time, on CUDA, too.

    There PyTorch adds up what overlapping windows send to one input in any order; here each window is a slice, and autograd adds
    slices in order. Values and gradients are the same.

    Args:
        side: rows and columns of the output; at least 1.
    """

    def __init__(self, side: int) -> None:
        super().__init__(side)
        self.side = side

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns (N, C, side, side) of (N, C, H, W)."""
        overlapping = any(size % self.side for size in inputs.shape[-2:])
        if overlapping and inputs.device.type == "cuda":
            return by_windows(inputs, self.side)
        pooled: Tensor = super().forward(inputs)
        return pooled


def by_windows(inputs: Tensor, side: int) -> Tensor:
    """Returns the maxima of ``side`` x ``side`` windows of (N, C, H, W), which overlap where they do not divide it."""
    rows, columns = (_bounds(size, side) for size in inputs.shape[-2:])
    lines = [
        torch.stack([inputs[..., top:bottom, left:right].flatten(-2).max(dim=-1).values for left, right in columns], dim=-1)
        for top, bottom in rows
    ]
    return torch.stack(lines, dim=-2)


def _bounds(size: int, side: int) -> list[tuple[int, int]]:
    """First and one past the last position of each window: floor(i · size / side) and ceil((i + 1) · size / side)."""
    return [(position * size // side, -(-(position + 1) * size // side)) for position in range(side)]
