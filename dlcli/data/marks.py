"""Which ink belongs together: parts of one character, and how many characters there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.data.ink import Ink, Mask

_SHARP = 0.05  # change of cover per pixel at the outline, as a share of the strongest cover
_SPECK = 0.03  # of the largest part's ink: dust, and crumbs that JPEG leaves
_APART_BELOW = 0.30  # gap between parts above each other, as a share of the larger one's length
_APART_BESIDE = 0.06  # and beside each other: as wide as that, they are two characters
_WHOLE = 0.9  # of an edge of the photo: what covers that much of it is no character
_TINY = 0.05  # of the photo's shorter side: if nothing is that long, there is only dirt
_LARGE = 0.15  # of the photo's shorter side: a mark that long may be a character
_RIVAL = 0.5  # of the largest mark's length: what is smaller is a comma or a scribble


@dataclass(frozen=True, eq=False)
class Marks:
    """What was found.

    Args:
        mask: pixels of the largest mark, bool (H, W).
        count: how many marks are about as large.
    """

    mask: Mask
    count: int


@dataclass(frozen=True)
class _Part:
    label: int
    ink: float
    top: int
    bottom: int
    left: int
    right: int

    @property
    def length(self) -> int:
        return max(self.bottom - self.top, self.right - self.left)


def marks_of(found: Ink) -> Marks | None:
    """Returns the largest mark in the ink, and how many there are of its size; None where there is no ink.

    Marks are connected components (of eight neighbours) and what lies near them. What touches the photo's edge is left out
    where there is something else: it is a shadow, or the desk.
    """
    from scipy import ndimage  # type: ignore[import-untyped]

    labels, count = ndimage.label(found.mask, structure=np.ones((3, 3)))
    if not count:
        return None
    parts = [part for part in _parts(labels, found, count) if not _is_desk(labels, part)]
    if not parts or max(part.length for part in parts) < _TINY * min(labels.shape):
        return None
    groups = _groups(_inside(parts, labels.shape))
    spans = [max(part.bottom for part in group) - min(part.top for part in group) for group in groups]
    spans = [max(span, *(part.length for part in group)) for span, group in zip(spans, groups, strict=True)]
    inks = [sum(part.ink for part in group) for group in groups]
    best = int(np.argmax([ink * span for ink, span in zip(inks, spans, strict=True)]))
    rivals = [
        place
        for place, (ink, span) in enumerate(zip(inks, spans, strict=True))
        if span >= _RIVAL * spans[best] and ink >= 0.2 * inks[best]
    ]
    mask = np.isin(labels, [part.label for part in groups[best]])
    return Marks(mask, max(1, len(rivals)))


def _parts(labels: NDArray[np.int32], found: Ink, count: int) -> list[_Part]:
    """The components with a sharp outline, the one with most ink first; a dark corner fades into the light."""
    from scipy import ndimage

    numbers = range(1, count + 1)
    inks = ndimage.sum_labels(found.cover, labels, numbers)
    strongest = ndimage.maximum(found.cover, labels, numbers)
    outlines = np.where(ndimage.binary_erosion(found.mask, border_value=1), 0, labels)
    slopes = ndimage.mean(ndimage.gaussian_gradient_magnitude(found.cover, 2), outlines, numbers)
    boxes = ndimage.find_objects(labels)
    parts = [
        _Part(number, float(ink), box[0].start, box[0].stop, box[1].start, box[1].stop)
        for number, ink, sharp, box in zip(numbers, inks, slopes > _SHARP * strongest, boxes, strict=True)
        if sharp
    ]
    return sorted(parts, key=lambda part: -part.ink)


def _is_desk(labels: NDArray[np.int32], part: _Part) -> bool:
    """Whether a part covers a whole edge of the photo."""
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    return any(float((edge == part.label).mean()) > _WHOLE for edge in edges)


def _inside(parts: list[_Part], shape: tuple[int, ...]) -> list[_Part]:
    """The parts without those at the edge, where others as large are left, and without specks."""

    def touches(part: _Part) -> bool:
        return part.top == 0 or part.left == 0 or part.bottom == shape[0] or part.right == shape[1]

    inner = [part for part in parts if not touches(part)]
    if inner and max(part.length for part in inner) >= _LARGE * min(shape):
        parts = inner
    return [part for part in parts if part.ink >= _SPECK * parts[0].ink]


def _groups(parts: list[_Part]) -> list[list[_Part]]:
    """The parts that belong together."""
    groups: list[list[_Part]] = []
    for part in parts:
        near = [group for group in groups if any(_together(part, other) for other in group)]
        groups = [group for group in groups if group not in near] + [[part, *(each for group in near for each in group)]]
    return groups


def _together(one: _Part, other: _Part) -> bool:
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    across = max(one.left, other.left) - min(one.right, other.right)
    length = max(one.length, other.length)
    if across <= 0:
        return down <= _APART_BELOW * length
    return across <= _APART_BESIDE * length and down <= _APART_BESIDE * length
