"""SSIM: how alike two maps look, window by window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_RADIUS, _SIGMA = 5, 1.5  # of the window
_MEANS, _SPREADS = 0.01**2, 0.03**2  # keep windows without light or contrast from dividing by zero


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Returns the mean structural similarity of each pair, float32 (N,), at most 1; 1 where they are equal.

    The Gaussian window has 11 pixels and sigma 1.5, and is only laid where it fits. Source: Wang et al. 2004, "Image quality
    assessment: from error visibility to structural similarity", equation 13.

    Args:
        first, second: (N, H, W) in [0, 1], at least 11 pixels a side.

    Raises:
        ValueError: shapes do not fit, or are too small for a window.
    """
    size = 2 * _RADIUS + 1
    if first.shape != second.shape or first.ndim != 3 or min(first.shape[1:]) < size:
        raise ValueError(f"expected two (N, H, W) of at least {size} pixels, got {tuple(first.shape)}, {tuple(second.shape)}")
    x, y = first.double()[:, None], second.double()[:, None]
    mean_x, mean_y, xx, yy, xy = (_windowed(part) for part in (x, y, x * x, y * y, x * y))
    spread_x, spread_y, shared = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    above = (2 * mean_x * mean_y + _MEANS) * (2 * shared + _SPREADS)
    below = (mean_x**2 + mean_y**2 + _MEANS) * (spread_x + spread_y + _SPREADS)
    return (above / below).flatten(1).mean(dim=1).float()


def _windowed(maps: Tensor) -> Tensor:
    along = torch.arange(-_RADIUS, _RADIUS + 1, device=maps.device, dtype=maps.dtype)
    kernel = torch.exp(-(along**2) / (2 * _SIGMA**2))
    kernel = (kernel / kernel.sum())[None, None, None]
    return nn.functional.conv2d(nn.functional.conv2d(maps, kernel), kernel.transpose(2, 3))
