"""Rotation, translation, scale and shear in one resampling, and the resampling itself."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.randomness import SampleKeys

# What comes in from outside an image: black, or the mirrored image.
Outside = Literal["zero", "reflect"]


def draw_maps(
    rng: SampleKeys, step: int, *, degrees: float, translate: float, scale: float, shear: float, size: tuple[int, int]
) -> Tensor:
    """Returns an affine map per example, as :func:`inverse_maps` gives them, each part uniform and drawn on its own.

    Args:
        degrees: the rotation is in [-degrees, degrees], about the middle.
        translate: the shift is in [-translate, translate] times the width and times the height.
        scale: the size is multiplied by a factor in [1 - scale, 1 + scale].
        shear: the shear angle along the width is in [-shear, shear], in degrees.
        size: height and width of the images, in pixels.
    """

    def draw(name: str, largest: float, middle: float = 0.0) -> Tensor:
        return rng.uniform(f"augment/affine/{name}", step, low=middle - largest, high=middle + largest)

    return inverse_maps(
        angle=draw("rotation", math.radians(degrees)),
        right=draw("right", translate * size[1]),
        down=draw("down", translate * size[0]),
        scale=draw("scale", scale, 1.0),
        shear_x=draw("shear", math.radians(shear)).tan(),
    )


def inverse_maps(
    *,
    angle: Tensor,
    right: Tensor | None = None,
    down: Tensor | None = None,
    scale: Tensor | None = None,
    shear_x: Tensor | None = None,
    shear_y: Tensor | None = None,
    middle: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Returns where each output pixel comes from: (N, 2, 3), applied to (x, y, 1) in pixels from the image's middle.

    It undoes, in this order: a shear along x and then along y (by their tangents), scale, a clockwise rotation by ``angle``
    (radians) about ``middle`` (pixels from the image's), and a shift to the right and down (pixels). All are float32 (N,).
    """
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    right, down, shear_x, shear_y = (zero if value is None else value for value in (right, down, shear_x, shear_y))
    scale = one if scale is None else scale
    centre_x, centre_y = middle or (zero, zero)
    # Rotation times shear, whose determinant is 1: the inverse only swaps and negates.
    a, c = angle.cos() + angle.sin() * shear_y, angle.sin() - angle.cos() * shear_y
    b, d = -a * shear_x - angle.sin(), angle.cos() - c * shear_x
    a, b, c, d = d / scale, -b / scale, -c / scale, a / scale
    from_x, from_y = centre_x + right, centre_y + down
    x = centre_x - a * from_x - b * from_y
    y = centre_y - c * from_x - d * from_y
    return torch.stack([a, b, x, c, d, y], dim=1).reshape(-1, 2, 3)


def warp(images: Tensor, maps: Tensor, *, outside: Outside = "zero") -> Tensor:
    """Returns the images resampled through their maps (N, 2, 3), bilinearly."""
    height, width = images.shape[2:]
    x, y = ((torch.arange(size, device=images.device) - (size - 1) / 2) for size in (width, height))
    (a, b, across), (c, d, down) = (
        rows[:, :, None].unbind(1) for rows in (maps[:, 0] / (0.5 * width), maps[:, 1] / (0.5 * height))
    )
    return sample(images, torch.complex(a * x, c * x), torch.complex(b * y + across, d * y + down), outside=outside)


def sample(images: Tensor, columns: Tensor, rows: Tensor, *, outside: Outside = "zero") -> Tensor:
    """Returns the images at the places columns[n, j] + rows[n, i], for each output pixel (i, j); bilinear, in [0, 1].

    A place is x + iy, from -1 to 1 between the image's borders (``grid_sample`` with ``align_corners=False``); as complex numbers
    all places come from one addition. The result is contiguous, whatever the images' memory format is.
    """
    grid = torch.view_as_real(columns[:, None, :] + rows[:, :, None])
    padding = "reflection" if outside == "reflect" else "zeros"
    found = nn.functional.grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return found.clamp_(0.0, 1.0)  # the weights are rounded, and may sum to more than 1


def format_of(images: Tensor) -> torch.memory_format:
    """Returns ``torch.channels_last`` where the images are so in memory, else ``torch.contiguous_format``."""
    last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format
