"""Synthetic phone photos of handwriting: a drawn image as ink on paper under light, and through a camera."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """How a photo was taken.

    Args:
        paper, ink: colours, 0 … 255; a dark paper is a screen in dark mode.
        shadow: how much light is lost in the darkest place, along a slope; hard: and beyond an edge.
        tilt: degrees either way at most.
        pen: stroke width as a share of the drawn one; below 1 a fine pen.
        size: width and height in pixels.
        lines: whether the paper is ruled in squares. desk: whether a dark desk shows at one side.
    """

    paper: tuple[int, int, int] = (236, 232, 222)
    ink: tuple[int, int, int] = (30, 30, 34)
    shadow: float = 0.0
    hard: float = 0.0
    tilt: float = 3.0
    pen: float = 1.0
    size: tuple[int, int] = (480, 640)
    lines: bool = False
    desk: bool = False
    quality: int = 75


SCENES = {
    "plain paper": Scene(),
    "blue ink": Scene(ink=(40, 60, 170)),
    "pencil": Scene(ink=(125, 125, 128)),
    "shadow": Scene(shadow=0.6),
    "hard shadow": Scene(shadow=0.3, hard=0.5),
    "tilted": Scene(tilt=15.0),
    "dark mode": Scene(paper=(18, 18, 22), ink=(235, 235, 240)),
    "fine pen": Scene(pen=0.3, ink=(40, 60, 170)),
    "squared paper": Scene(lines=True, ink=(30, 40, 120)),
    "desk beside": Scene(desk=True),
    "12 megapixels": Scene(size=(3000, 4000)),
    "strong JPEG": Scene(quality=15, shadow=0.3),
}


def photo(digit: NDArray[np.uint8], scene: Scene, *, seed: int) -> Image.Image:
    """Returns a photo of a drawn image, uint8 (28, 28), ink light on black as MNIST has it."""
    draw = np.random.default_rng(seed)
    width, height = scene.size
    scale = max(1, max(scene.size) // 640)
    small = (width // scale, height // scale)
    cover = _ink(digit, scene, small, draw)
    y, x = np.mgrid[0 : small[1], 0 : small[0]] / max(small)
    light = np.ones((small[1], small[0]))
    angle = draw.uniform(0, 2 * np.pi)
    slope = x * np.cos(angle) + y * np.sin(angle)
    slope = (slope - slope.min()) / np.ptp(slope)
    light *= 1 - scene.shadow * slope
    light *= 1 - scene.hard / (1 + np.exp(-(slope - draw.uniform(0.3, 0.7)) * 60))
    paper = np.array(scene.paper, dtype=float) * np.ones((small[1], small[0], 1))
    paper += _grain(small, 12, draw)[..., None] * 5
    if scene.lines:
        step = int(draw.integers(22, 30))
        grid = (np.arange(small[1])[:, None] % step < 1) | (np.arange(small[0])[None] % step < 1)
        paper = np.where(grid[..., None], paper * np.array([0.78, 0.86, 0.94]), paper)
    if scene.desk:
        paper = np.where((x < 0.1)[..., None], np.array([70.0, 48, 35]), paper)
    colours = paper * (1 - cover[..., None]) + np.array(scene.ink, dtype=float) * cover[..., None]
    pixels = colours * light[..., None] + draw.normal(0, 4, (*light.shape, 1)) + draw.normal(0, 2, (*light.shape, 3))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if scale > 1:
        image = image.resize(scene.size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=scene.quality)
    return Image.open(file)


def _ink(digit: NDArray[np.uint8], scene: Scene, size: tuple[int, int], draw: np.random.Generator) -> Floats:
    """How much ink covers each pixel, 0 … 1."""
    side = int(draw.uniform(0.45, 0.75) * min(size) * 1.4)  # the digit itself is 20 of the 28 pixels
    nearest = max(size) // 9 if scene.desk else 0
    side = min(side, size[0] - nearest)
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    large = large.rotate(draw.uniform(-scene.tilt, scene.tilt), resample=Image.Resampling.BICUBIC)
    strength = np.asarray(large, dtype=float) / 255
    edge = 1 / (1 + np.exp(-(strength - 0.45) * 25))
    if scene.pen < 1:
        # The middle of each stroke, and the ridge along it, so that it does not break where it is thin.
        depth = ndimage.distance_transform_edt(edge > 0.5)
        middle = (depth > (1 - scene.pen) * ndimage.maximum_filter(depth, size=side // 10)) & (depth > 0)
        ridge = (depth >= ndimage.maximum_filter(depth, 3) - 0.5) & (depth > 0)
        core = middle | ndimage.binary_dilation(ridge, iterations=2) & (edge > 0.5)
        edge = ndimage.gaussian_filter(ndimage.binary_closing(core, iterations=3).astype(float), 0.7)
    cover = np.zeros((size[1], size[0]))
    inner = side // 10  # the empty margin may leave the photo
    left = int(draw.integers(nearest - inner, size[0] - side + inner + 1))
    top = int(draw.integers(-inner, size[1] - side + inner + 1))
    rows, columns = slice(max(top, 0), min(top + side, size[1])), slice(max(left, 0), min(left + side, size[0]))
    cover[rows, columns] = edge[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return cover * (0.9 + 0.1 * _grain(size, 3, draw))


def _grain(size: tuple[int, int], coarse: int, draw: np.random.Generator) -> Floats:
    """Smooth noise, about -1 … 1."""
    small = draw.normal(0, 0.5, (size[1] // coarse + 2, size[0] // coarse + 2))
    levels = Image.fromarray(np.clip(small * 127 + 128, 0, 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(levels, dtype=float) / 127 - 1
