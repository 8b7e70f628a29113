"""Windows of Square attack: how large they are, where they lie, and what pattern they hold in L2.

An image has one window for itself. Tables are images of one row, so a window is a run of columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# After so many queries the share of the image that a window covers is halved; for a budget of 10,000.
_HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


def share_of_image(query: int, *, initial: float, queries: int, rescale: bool) -> float:
    """Returns the share of an image's pixels that the window of this query covers (Andriushchenko et al. 2020, §5).

    Args:
        query: from 0.
        initial: share at the beginning, in (0, 1].
        queries: the whole budget.
        rescale: stretch the schedule, which is made for 10,000 queries, to this budget.
    """
    at = int(query / queries * 10000) if rescale else query
    return math.ldexp(initial, -sum(at > bound for bound in _HALVED_AFTER))


def sides(share: float, height: int, width: int, *, odd: bool) -> tuple[int, int]:
    """Returns height and width of a window: a square of about this share of the pixels.

    Where the image is too narrow for the square, the window takes its whole height or width, and as much of the other as makes up
    the share.

    Args:
        odd: at least 3 on a side and an odd number, as in L2, where the image has room for it.
    """
    side = max(round(math.sqrt(share * height * width)), 3 if odd else 1)
    side += odd and side % 2 == 0
    if side <= min(height, width):
        return side, side
    longest = max(1, round(share * height * width / min(height, width)))
    return (height, min(max(side, longest), width)) if height <= width else (min(max(side, longest), height), width)


@dataclass(frozen=True)
class Windows:
    """One window for each of n images of height x width pixels.

    Args:
        top, left: where they begin, int64 (n,).
        tall, wide: their sides.
    """

    top: Tensor
    left: Tensor
    tall: int
    wide: int

    @classmethod
    def drawn(cls, uniform: Tensor, image: tuple[int, int], window: tuple[int, int]) -> Windows:
        """Returns windows that lie anywhere inside their images with equal chance; ``uniform`` is (n, 2) in [0, 1)."""
        room = torch.tensor([image[0] - window[0] + 1, image[1] - window[1] + 1], device=uniform.device)
        top, left = (uniform * room).long().unbind(dim=1)
        return cls(top, left, *window)

    def pixels(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns numbers of images, rows and columns of what is inside, int64, which together index (n, tall, wide) pixels."""
        device = self.top.device
        images = torch.arange(len(self.top), device=device)[:, None, None]
        rows = (self.top[:, None] + torch.arange(self.tall, device=device))[:, :, None]
        columns = (self.left[:, None] + torch.arange(self.wide, device=device))[:, None, :]
        return images, rows, columns

    def mask(self, height: int, width: int) -> Tensor:
        """Returns which pixels are inside, bool (n, 1, height, width)."""
        down, across = self._offsets(height, width)
        rows, columns = (down >= 0) & (down < self.tall), (across >= 0) & (across < self.wide)
        return (rows[:, :, None] & columns[:, None, :])[:, None]

    def placed(self, pattern: Tensor, height: int, width: int) -> Tensor:
        """Returns each image's pattern at its window and 0 elsewhere, (n, 1, height, width).

        Args:
            pattern: (n, tall, wide).
        """
        down, across = (offset.clamp(min=0) for offset in self._offsets(height, width))
        places = down.clamp(max=self.tall - 1)[:, :, None] * self.wide + across.clamp(max=self.wide - 1)[:, None, :]
        found = pattern.flatten(1).gather(1, places.flatten(1)).reshape(len(pattern), 1, height, width)
        return found * self.mask(height, width)

    def _offsets(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        down = torch.arange(height, device=self.top.device) - self.top[:, None]
        return down, torch.arange(width, device=self.left.device) - self.left[:, None]


def bumps(tall: int, wide: int, device: torch.device | None = None) -> Tensor:
    """Returns the two patterns of L2, one bump above and one of opposite sign below, and the same side by side.

    Each has norm 1, (2, tall, wide). A bump is the sum over k = 0 … of 1 / (k + 1)² on centred rectangles that grow by a pixel to
    each side (Andriushchenko et al. 2020, §4.2). A window that has no room for two holds one.
    """
    stacked = torch.zeros(2, tall, wide)
    for index, (length, other) in enumerate(((tall, wide), (wide, tall))):
        upper, lower = length // 2, length - length // 2
        both = torch.cat([*([_bump(upper, other)] if upper else []), -_bump(lower, other)])
        stacked[index] = both if index == 0 else both.T
    patterns: Tensor = stacked / torch.linalg.vector_norm(stacked, dim=(1, 2), keepdim=True)
    return patterns.to(device)


def _bump(tall: int, wide: int) -> Tensor:
    """One bump of norm 1."""
    pattern = torch.zeros(tall, wide)
    centre = (tall // 2, wide // 2)
    for ring in range(max(centre) + 1):
        rows = slice(max(centre[0] - ring, 0), min(centre[0] + ring + 1, tall))
        columns = slice(max(centre[1] - ring, 0), min(centre[1] + ring + 1, wide))
        pattern[rows, columns] += 1 / (ring + 1) ** 2
    bump: Tensor = pattern / torch.linalg.vector_norm(pattern)
    return bump
