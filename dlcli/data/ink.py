"""Ink on paper: how much of it covers each pixel of a photo, whatever the light, the paper and the pen.

What is bright on dark counts as ink too, as on a screen in dark mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_REACH = 0.35  # a stroke is narrower than this share of the shorter side; what is wider is paper, shadow or desk
_FAINTEST = 0.10  # loss of light, as a share, below which nothing is ink: paper has a grain
_ABOVE_NOISE = 6.0


@dataclass(frozen=True, eq=False)
class Ink:
    """Ink in a photo.

    Args:
        cover: share of the light that is lost to ink, float32 (H, W) in [0, 1].
        cut: from which cover on a pixel counts as ink; above 1 where there is none.
    """

    cover: Floats
    cut: float

    @property
    def mask(self) -> Mask:
        """The pixels that are ink, (H, W)."""
        return np.asarray(self.cover > self.cut)


def ink_of(grey: Floats) -> Ink:
    """Returns the ink in a grey image, float32 (H, W) in [0, 1].

    The background is a morphological closing (Serra 1982), which removes what is dark and narrower than its window, and
    which edges of shadows survive; then light is divided by it. The cut is Otsu's (1979), and at least six times the noise.
    """
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(grey, 0.003 * min(grey.shape))
    if _bright_on_dark(smooth):
        smooth = 1 - smooth
    window = max(3, int(_REACH * min(grey.shape)))
    background = ndimage.minimum_filter(ndimage.maximum_filter(smooth, window), window)
    background = np.maximum(ndimage.gaussian_filter(background, window / 16), 0.05)
    cover = np.clip(1 - smooth / background, 0, 1).astype(np.float32)
    return Ink(cover, _cut(cover))


def _bright_on_dark(grey: Floats) -> bool:
    """Whether the strongest deviations from the surroundings are bright ones."""
    from scipy import ndimage

    deviation = grey - ndimage.gaussian_filter(grey, _REACH / 2 * min(grey.shape))
    low, high = np.quantile(deviation, (0.005, 0.995))
    return bool(high > -low)


def _cut(cover: Floats) -> float:
    """Otsu's threshold; above 1 where what it finds is no stronger than the grain of paper."""
    noise = float(np.median(cover)) * 1.4826
    least = max(_FAINTEST, _ABOVE_NOISE * noise)
    counts, edges = np.histogram(cover, bins=256, range=(0, 1))
    middles = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()
    above = below[-1] - below
    sums = (counts * middles).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    cut = float(middles[int(np.nanargmax(between))]) if np.isfinite(between).any() else 2.0
    strong = cover[cover > cut]
    if not len(strong) or float(np.quantile(strong, 0.9)) < least:
        return 2.0
    return max(cut, least / 2)
