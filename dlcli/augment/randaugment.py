"""RandAugment and TrivialAugment: operations drawn at random, each example its own, carried out one operation at a time.

The fourteen operations are those of both papers: geometry (bilinear, black outside) and colour (:mod:`dlcli.augment.color`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from dlcli.augment import color
from dlcli.augment.affine import inverse_maps, warp
from dlcli.randomness import SampleKeys

OPERATIONS = (
    "identity",
    "shear_x",
    "shear_y",
    "move_x",
    "move_y",
    "rotate",
    "brightness",
    "color",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)
GEOMETRIC = OPERATIONS[1:6]
LARGEST = 30


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """What each operation does at full strength; at strength 0 it does nothing. Autocontrast and equalize have no strength.

    Args:
        shear: tangent of the shear.
        move: share of the image's side, and pixels on top of it.
        degrees: of a rotation.
        factor: brightness, color, contrast and sharpness take the factors 1 - factor and 1 + factor.
        bits: taken from the eight by posterize.
    """

    shear: float
    move: tuple[float, float]
    degrees: float
    factor: float
    bits: int


RANDAUGMENT = Ranges(shear=0.3, move=(150 / 331, 0.0), degrees=30.0, factor=0.9, bits=4)
TRIVIAL = Ranges(shear=0.99, move=(0.0, 32.0), degrees=135.0, factor=0.99, bits=6)


# Takes images (N, C, H, W), their operations and their strengths, (N,) each.
Operation: TypeAlias = Callable[[Tensor, Tensor, Tensor, Ranges], Tensor]


@dataclass(frozen=True)
class Choices:
    """What is done to each example, one column after the other.

    Args:
        operations: numbers in ``OPERATIONS``, int64 (N, L).
        strengths: in [-1, 1], float32 (N, L); the sign is a direction, and matters where there are two.
    """

    operations: Tensor
    strengths: Tensor


def draw_randaugment(rng: SampleKeys, step: int, *, operations: int, magnitude: float) -> Choices:
    """Returns ``operations`` operations per example, all of strength ``magnitude`` / 30, its sign drawn.

    Cubuk et al. 2020, "RandAugment: practical automated data augmentation with a reduced search space", §3; the scale and
    the ranges are torchvision's.
    """
    shape = (operations,)
    signs = 1 - 2 * rng.integers("augment/policy/sign", step, 2, shape)
    return Choices(rng.integers("augment/policy/operation", step, len(OPERATIONS), shape), signs * (magnitude / LARGEST))


def draw_trivial(rng: SampleKeys, step: int) -> Choices:
    """Returns one operation per example, its strength one of 0, 1/30 … 1, all equally likely, its sign drawn.

    Müller and Hutter 2021, "TrivialAugment: tuning-free yet state-of-the-art data augmentation", §3, in its wide space.
    """
    plain = draw_randaugment(rng, step, operations=1, magnitude=LARGEST)
    return Choices(plain.operations, plain.strengths * rng.integers("augment/policy/strength", step, LARGEST + 1, (1,)) / LARGEST)


def carry_out_(images: Tensor, choices: Choices, ranges: Ranges) -> Tensor:
    """Does to the images the operations chosen for them, in place, and returns them.

    The choices are brought to the host, the one place where an augmentation waits for the device: then an operation runs once a
    layer, on the examples that chose it, and not on all.
    """
    on_host = choices.operations.cpu().unbind(1)
    for chosen, operations, strengths in zip(on_host, choices.operations.unbind(1), choices.strengths.unbind(1), strict=True):
        for members, operation in _GROUPS.items():
            found = torch.isin(chosen, torch.tensor(members)).nonzero()[:, 0]
            if len(found):
                rows = found.to(images.device, non_blocking=True)
                images[rows] = operation(images[rows], operations[rows], strengths[rows], ranges)
    return images


def _move(images: Tensor, operations: Tensor, strengths: Tensor, ranges: Ranges) -> Tensor:
    """All geometric operations in one resampling. Shears are about the corner, as the papers' code has them."""
    height, width = images.shape[2:]

    def only(name: str, amount: float) -> Tensor:
        return strengths * amount * (operations == OPERATIONS.index(name))

    sheared = (operations == OPERATIONS.index("shear_x")) | (operations == OPERATIONS.index("shear_y"))
    share, pixels = ranges.move
    maps = inverse_maps(
        angle=only("rotate", math.radians(ranges.degrees)),
        right=only("move_x", share * width + pixels),
        down=only("move_y", share * height + pixels),
        shear_x=only("shear_x", ranges.shear),
        shear_y=only("shear_y", ranges.shear),
        middle=(sheared * (-width / 2), sheared * (-height / 2)),
    )
    return warp(images, maps)


def _colored(change: Callable[[Tensor, Tensor, Ranges], Tensor]) -> Operation:
    return lambda images, _operations, strengths, ranges: change(images, strengths, ranges)


_COLORS: Mapping[str, Callable[[Tensor, Tensor, Ranges], Tensor]] = {
    "brightness": lambda images, strengths, ranges: color.brightness(images, 1 + strengths * ranges.factor),
    "color": lambda images, strengths, ranges: color.saturation(images, 1 + strengths * ranges.factor),
    "contrast": lambda images, strengths, ranges: color.contrast(images, 1 + strengths * ranges.factor),
    "sharpness": lambda images, strengths, ranges: color.sharpness(images, 1 + strengths * ranges.factor),
    "posterize": lambda images, strengths, ranges: color.posterize(images, 8 - (strengths.abs() * ranges.bits).round()),
    "solarize": lambda images, strengths, _: color.solarize(images, (1 - strengths.abs()) * (256 / 255)),
    "autocontrast": lambda images, *_: color.autocontrast(images),
    "equalize": lambda images, *_: color.equalize(images),
}
_GROUPS: Mapping[tuple[int, ...], Operation] = {
    tuple(map(OPERATIONS.index, GEOMETRIC)): _move,
    **{(OPERATIONS.index(name),): _colored(change) for name, change in _COLORS.items()},
}
