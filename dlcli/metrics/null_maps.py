"""Maps that know nothing of a model: what an explanation has to beat."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.randomness import SampleKeys

_CELLS = (3, 4, 5, 7)  # a side of the smooth maps before they are enlarged, one after the other


def null_maps(images: Tensor, count: int, keys: SampleKeys) -> Tensor:
    """Returns ``count`` random smooth maps, a map of edges and a blob in the centre for each image, (N, count + 2, H, W).

    Args:
        images: (N, C, H, W).
        keys: of the images, so that maps do not depend on which images are together.
    """
    height, width = images.shape[2:]
    smooth = [_enlarged(keys.uniform("null map", step, (1, *_side(step))), height, width) for step in range(count)]
    return torch.cat([*smooth, _edges(images), _blob(images)], dim=1)


def _side(step: int) -> tuple[int, int]:
    return (_CELLS[step % len(_CELLS)],) * 2


def _enlarged(cells: Tensor, height: int, width: int) -> Tensor:
    return nn.functional.interpolate(cells, size=(height, width), mode="bicubic", align_corners=False)


def _edges(images: Tensor) -> Tensor:
    """The length of Sobel's gradient of the grey image, (N, 1, H, W)."""
    grey = nn.functional.pad(images.float().mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = grey.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    slopes = nn.functional.conv2d(grey, torch.stack([across, across.T])[:, None])
    length: Tensor = slopes.norm(dim=1, keepdim=True)
    return length


def _blob(images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    down = torch.linspace(-1, 1, height, device=images.device)[:, None]
    along = torch.linspace(-1, 1, width, device=images.device)[None]
    return torch.exp(-2 * (down**2 + along**2)).expand(len(images), 1, height, width)
