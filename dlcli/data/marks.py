"""Which ink belongs together: parts of one character, and how many characters there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.data.ink import Ink, Mask

_SPECK = 0.03  # of the largest part's ink: dust, and crumbs that JPEG leaves
_APART_BELOW = 0.30  # gap between parts above each other, as a share of the larger one's length
_APART_BESIDE = 0.06  # and beside each other: as wide as that, they are two characters
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
    from scipy import ndimage

    labels, count = ndimage.label(found.mask, structure=np.ones((3, 3)))
    if not count:
        return None
    parts = _inside(_parts(labels, found, count), labels.shape)
    groups = _groups(parts)
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
    """The components that are no specks, the one with most ink first."""
    from scipy import ndimage

    inks = ndimage.sum_labels(found.cover, labels, range(1, count + 1))
    boxes = ndimage.find_objects(labels)
    parts = [
        _Part(number, float(ink), box[0].start, box[0].stop, box[1].start, box[1].stop)
        for number, (ink, box) in enumerate(zip(inks, boxes, strict=True), start=1)
    ]
    return sorted(parts, key=lambda part: -part.ink)


def _inside(parts: list[_Part], shape: tuple[int, ...]) -> list[_Part]:
    """The parts without those at the edge, where others are left, and without specks."""

    def touches(part: _Part) -> bool:
        return part.top == 0 or part.left == 0 or part.bottom == shape[0] or part.right == shape[1]

    tall = max(part.length for part in parts)
    inner = [part for part in parts if not touches(part)]
    if inner and max(part.length for part in inner) >= 0.15 * min(shape) or all(part.length < 0.5 * tall for part in inner):
        parts = inner or parts
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
