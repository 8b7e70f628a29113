"""Ink on paper: how much of it covers each pixel of a photo, whatever the light, the paper and the pen.

What is bright on dark counts as ink too, as on a screen in dark mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_REACH = 0.35  # a stroke is narrower than this share of the shorter side; what is wider is paper, shadow or desk
_SMALL = 128  # pixels of the shorter side where only what is wide matters
_FAINTEST, _NOISE = 0.08, 3.0  # loss of light, as a share, and in units of the photo's noise: less than both is no ink
_CLEAR = 2.0  # ink is twice as strong as that somewhere; paper's grain and ruled lines are not


@dataclass(frozen=True, eq=False)
class Ink:
    """Ink in a photo.

    Args:
        cover: share of the light that is lost to ink, float32 (H, W) in [0, 1].
        mask: the pixels that are ink, (H, W).
    """

    cover: Floats
    mask: Mask


def ink_of(grey: Floats) -> Ink:
    """Returns the ink in a grey image, float32 (H, W) in [0, 1].

    The background is a morphological closing (Serra 1982), which removes what is dark and narrower than its window, and
    which edges of shadows survive; then light is divided by it. Ink is what loses more than
    Otsu's threshold (1979), and more than the grain of paper and the noise of the camera explain.
    """
    from scipy import ndimage  # type: ignore[import-untyped]

    smooth = ndimage.gaussian_filter(grey, 0.003 * min(grey.shape))
    if _bright_on_dark(smooth):
        smooth = 1 - smooth
    background = np.maximum(_background(smooth), 0.05)
    cover = np.clip(1 - smooth / background, 0, 1).astype(np.float32)
    # In the dark the same noise of the camera is a larger share of the light.
    noise = _NOISE * max(float(np.median(background - smooth)), 0.002) / background
    least = np.maximum(noise, _FAINTEST)
    mask = np.asarray(cover > np.maximum(_cut(cover), least))
    strength = (cover / least)[mask]
    if not len(strength) or float(np.quantile(strength, 0.9)) < _CLEAR:
        mask = np.zeros_like(mask)
    return Ink(cover, mask)


def _background(grey: Floats) -> Floats:
    """The closing, computed on a small copy, which is ten times as fast."""
    from scipy import ndimage

    height, width = grey.shape
    share = min(1.0, _SMALL / min(grey.shape))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    small = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
    window = max(3, int(_REACH * min(small.shape)))
    closed = ndimage.minimum_filter(ndimage.maximum_filter(small, window), window)
    softened = ndimage.gaussian_filter(closed, window / 16)
    return np.asarray(Image.fromarray(softened).resize((width, height), Image.Resampling.BILINEAR))


def _bright_on_dark(grey: Floats) -> bool:
    """Whether the strongest deviations from the surroundings are bright ones."""
    from scipy import ndimage

    share = min(1.0, _SMALL / min(grey.shape))
    size = [max(1, round(length * share)) for length in reversed(grey.shape)]
    small = np.asarray(Image.fromarray(grey).resize((size[0], size[1]), Image.Resampling.BOX))
    deviation = small - ndimage.gaussian_filter(small, _REACH / 2 * min(small.shape))
    low, high = np.quantile(deviation, (0.005, 0.995))
    return bool(high > -low)


def _cut(cover: Floats) -> float:
    """Otsu's threshold: the one that leaves the least spread on its two sides."""
    counts, edges = np.histogram(cover, bins=256, range=(0, 1))
    middles = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()
    above = below[-1] - below
    sums = (counts * middles).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(middles[int(np.nanargmax(between))]) if np.isfinite(between).any() else 1.0
