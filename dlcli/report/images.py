"""Pixels: from float images and maps to uint8 (N, H, W, 3) and PNG bytes. Tensors only; no figure, no terminal."""

from __future__ import annotations

import io
import math

import torch
from torch import Tensor

# Nine evenly spaced colours, black over violet and red to yellow (anchors after Smith and
# van der Walt's "inferno", CC0). Lightness rises all the way, so order survives grey print and colour blindness.
_HEAT = (
    (0, 0, 4),
    (31, 12, 72),
    (85, 15, 109),
    (136, 34, 106),
    (186, 54, 85),
    (227, 89, 51),
    (249, 140, 10),
    (249, 201, 50),
    (252, 255, 164),
)

_MORE, _LESS = (213.0, 94.0, 0.0), (0.0, 114.0, 178.0)  # Okabe and Ito's vermilion and blue


def to_uint8(images: Tensor) -> Tensor:
    """Returns images as uint8 (N, H, W, 3), rounded to the nearest level; grey becomes three equal channels.

    Args:
        images: float (N, C, H, W) in [0, 1], C = 1 or 3; values outside are clamped, NaN becomes black.

    Raises:
        ValueError: any other shape.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be (N, 1 or 3, H, W), got {tuple(images.shape)}")
    levels = images.detach().cpu().float().nan_to_num(nan=0.0).clamp(0, 1).mul(255).round().to(torch.uint8)
    return levels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous()


def heat_colors(maps: Tensor) -> Tensor:
    """Returns the colours of ``maps``, uint8 (..., 3): 0 is black, 1 is light yellow, lightness rises with the value.

    Args:
        maps: float of any shape, such as (N, H, W), in [0, 1]; values outside are clamped, NaN counts as 0.
    """
    table = torch.tensor(_HEAT, dtype=torch.float32)
    place = maps.detach().cpu().float().nan_to_num(nan=0.0).clamp(0, 1) * (len(_HEAT) - 1)
    below = place.floor().long().clamp(max=len(_HEAT) - 2)
    share = (place - below)[..., None]
    return torch.lerp(table[below], table[below + 1], share).round().to(torch.uint8)


def unit_maps(maps: Tensor) -> Tensor:
    """Returns each map's positive part divided by its maximum, float32 (N, H, W) in [0, 1]; a map without one becomes 0."""
    positive = maps.detach().cpu().float().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).clamp(min=0)
    peak = positive.amax(dim=(1, 2), keepdim=True)
    return torch.where(peak > 0, positive / peak.clamp(min=torch.finfo(torch.float32).tiny), 0.0)


def overlay(images: Tensor, maps: Tensor, *, alpha: float = 0.5) -> Tensor:
    """Returns ``images`` with heat where ``maps`` are positive, uint8 (N, H, W, 3).

    Opacity is ``alpha`` times the square root of the scaled map: where there is no evidence the image is untouched, and
    weak evidence is still visible. Each map is scaled by its own maximum, so two overlays do not compare strengths.

    Args:
        images: uint8 (N, H, W, 3).
        maps: float (N, H, W), signed.
        alpha: opacity at the map's maximum, in [0, 1].

    Raises:
        ValueError: shapes do not fit, or ``alpha`` lies outside [0, 1].
    """
    if images.shape != (*maps.shape, 3):
        raise ValueError(f"expected images (N, H, W, 3) for maps (N, H, W), got {tuple(images.shape)} and {tuple(maps.shape)}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
    strength = unit_maps(maps)
    opacity = (alpha * strength.sqrt())[..., None]
    # Violet to amber: the ends of the table would be lost on black strokes and on white ones.
    heat = heat_colors(0.35 + 0.47 * strength).float()
    return torch.lerp(images.cpu().float(), heat, opacity).round().to(torch.uint8)


def difference_colors(maps: Tensor) -> Tensor:
    """Returns the colours of signed maps, uint8 (N, H, W, 3): white is 0, red above and blue below, by each map's largest size.

    Args:
        maps: float (N, H, W).
    """
    values = maps.detach().cpu().float().nan_to_num(nan=0.0)
    largest = values.abs().amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    share = (values / largest)[..., None]
    ends = torch.where(share > 0, torch.tensor(_MORE), torch.tensor(_LESS))
    return torch.lerp(torch.tensor(255.0), ends, share.abs()).round().to(torch.uint8)


def tile(images: Tensor, columns: int, *, gap: int = 1) -> Tensor:
    """Returns images (N, H, W, 3) as one grid, uint8, row by row, with ``gap`` white pixels between and none around.

    Raises:
        ValueError: no images, ``columns`` below 1 or ``gap`` below 0.
    """
    if len(images) == 0 or columns < 1 or gap < 0:
        raise ValueError(f"expected images, columns >= 1 and gap >= 0, got {len(images)}, {columns} and {gap}")
    count, height, width, _ = images.shape
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    grid = torch.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=torch.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid


def letterboxed(image: Tensor, side: int) -> Tensor:
    """Returns one image, uint8 (H, W, 3), whole in a grey square of ``side`` pixels, uint8 (side, side, 3).

    A small one is enlarged by a whole number, so that each pixel can be seen; a larger one is averaged down.

    Raises:
        ValueError: ``side`` is below 1.
    """
    if side < 1:
        raise ValueError(f"side must be at least 1, got {side}")
    longest = max(image.shape[:2])
    times = side // longest
    if times >= 1:
        fitted = image.cpu().repeat_interleave(times, dim=0).repeat_interleave(times, dim=1)
    else:
        size = [max(1, round(length * side / longest)) for length in image.shape[:2]]
        planes = image.cpu().permute(2, 0, 1)[None].float()
        shrunk = torch.nn.functional.interpolate(planes, size=size, mode="area")[0]
        fitted = shrunk.round().to(torch.uint8).permute(1, 2, 0)
    square = torch.full((side, side, 3), 128, dtype=torch.uint8)
    top, left = (side - fitted.shape[0]) // 2, (side - fitted.shape[1]) // 2
    square[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return square


def png_bytes(image: Tensor, *, scale: int = 1) -> bytes:
    """Returns one image, uint8 (H, W, 3), as PNG without metadata; the same pixels give the same bytes.

    Args:
        scale: each pixel becomes ``scale`` x ``scale`` pixels, so that a digit of 28 pixels is visible; at least 1.
    """
    from PIL import Image

    if scale < 1:
        raise ValueError(f"scale must be at least 1, got {scale}")
    enlarged = image.cpu().repeat_interleave(scale, dim=0).repeat_interleave(scale, dim=1)
    buffer = io.BytesIO()
    Image.fromarray(enlarged.contiguous().numpy()).save(buffer, format="PNG")
    return buffer.getvalue()
