"""The usual augmentations of images, in one fixed order, each of them off unless asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from dlcli.augment.affine import Outside, draw_maps, format_of, warp
from dlcli.augment.color import brightness, contrast, saturation
from dlcli.augment.crop import draw_corners, draw_parts, padded_crop, resized_crop
from dlcli.augment.erase import cutout_, draw_holes, draw_middles, erase_
from dlcli.augment.flip import draw_flips, flip_
from dlcli.augment.mixing import mix
from dlcli.augment.randaugment import LARGEST, RANDAUGMENT, TRIVIAL, carry_out_, draw_randaugment, draw_trivial
from dlcli.contracts import Augment, Batch, DataSpec
from dlcli.randomness import SampleKeys

# Numbers in a piece of a batch: on a CPU, operations on more than its caches hold run at the speed of its memory (on 64
# photos of 224 x 224 a quarter slower). Nothing depends on it, for an example's draws are its own.
_FITTING = 1 << 21
Policy = Literal["none", "randaugment", "trivial"]
# What values may be, in words, each with its names and its test.
_RANGES: Mapping[str, tuple[tuple[str, ...], Callable[[float], bool]]] = {
    "at least 0": (("crop", "cutout", "mixup", "cutmix"), lambda value: value >= 0),
    "at least 1": (("operations",), lambda value: value >= 1),
    "in [0, 1]": (("flip", "translate", "jitter", "erase"), lambda value: 0 <= value <= 1),
    "in [0, 1)": (("scale",), lambda value: 0 <= value < 1),
    "in (0, 1]": (("resized_crop",), lambda value: 0 < value <= 1),
    "in [0, 180]": (("degrees",), lambda value: 0 <= value <= 180),
    "in [0, 90)": (("shear",), lambda value: 0 <= value < 90),
    f"in [0, {LARGEST}]": (("magnitude",), lambda value: 0 <= value <= LARGEST),
}


@dataclass(frozen=True, kw_only=True)
class Standard(Augment):
    """Geometry (crop, resized crop, flip, affine), then colour (jitter, policy), then holes (cutout, erase), then mixing.

    Every example has its own draws at every step. All of it runs in whole batches, where the images are; only a policy waits for
    the device, once. With every value at its neutral one, which is the default, nothing is changed or copied.

    Args:
        spec: the data's. Holes get its mean colour, which a model that standardises its inputs sees as 0.
        crop: pixels of padding on every side, out of which a window of the image's size is cut.
        resized_crop: smallest share of the area in a part that is enlarged to the whole image, in (0, 1]; 1 is off.
        flip: probability of exchanging left and right.
        degrees, translate, scale, shear: largest rotation (degrees), shift (share of the side), change of size (the factor is
            in 1 ± scale) and shear (degrees).
        outside: what crop and affine changes fill with: "zero" (black) or "reflect" (the mirrored image).
        jitter: brightness, contrast and saturation each change by a factor in 1 ± jitter.
        policy: operations drawn at random: "none", "randaugment" or "trivial" (TrivialAugment, wide).
        operations, magnitude: of RandAugment: how many for each example, and how strong, in [0, 30].
        cutout: side of a square hole, in pixels.
        erase: probability of a rectangular hole (random erasing).
        mixup, cutmix: α of Beta(α, α), the share an example keeps; with both, each example gets one of them.

    Raises:
        ValueError: a value out of its range, or data that are not images.
    """

    spec: DataSpec
    crop: int = 0
    resized_crop: float = 1.0
    flip: float = 0.0
    degrees: float = 0.0
    translate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    outside: Outside = "zero"
    jitter: float = 0.0
    policy: Policy = "none"
    operations: int = 2
    magnitude: float = 9.0
    cutout: int = 0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for words, (names, allowed) in _RANGES.items():
            for name in names:
                if not allowed(getattr(self, name)):
                    raise ValueError(f"{name} must be {words}, got {getattr(self, name)}")
        for name, choices in (("outside", get_args(Outside)), ("policy", get_args(Policy))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if self.spec.kind != "image" or len(self.spec.shape) != 3:
            raise ValueError(
                f"only images can be cropped, turned and mixed, and {self.spec.name} is no set of images; use augment=none"
            )
        smallest = min(self.spec.shape[1:])
        if self.outside == "reflect" and self.crop >= smallest:
            raise ValueError(f"crop must be below the image's smaller side, {smallest}, with outside=reflect, got {self.crop}")

    def __call__(self, inputs: Tensor, *, rng: SampleKeys, step: int) -> Tensor:
        """Returns augmented images (N, C, H, W), in their memory format; mixing is left to :meth:`batch`."""
        on = (
            self.crop,
            self.resized_crop < 1,
            self.flip,
            self._affine,
            self.jitter,
            self.policy != "none",
            self.cutout,
            self.erase,
        )
        if not len(inputs) or not any(on):
            return inputs
        size = max(1, _FITTING // inputs[0].numel()) if inputs.device.type == "cpu" else len(inputs)
        if size >= len(inputs):
            return self._changed(inputs, rng, step).contiguous(memory_format=format_of(inputs))
        result = torch.empty_like(inputs)
        for start in range(0, len(inputs), size):
            piece = slice(start, start + size)
            result[piece] = self._changed(inputs[piece], SampleKeys(rng.seed, rng.index[piece]), step)
        return result

    def batch(self, batch: Batch, *, rng: SampleKeys, step: int) -> Batch:
        """Returns the augmented batch; with mixup or cutmix its targets are the share of each class, float32 (N, P)."""
        changed = super().batch(batch, rng=rng, step=step)
        if not self.mixup and not self.cutmix:
            return changed
        return mix(changed, classes=len(self.spec.classes), mixup=self.mixup, cutmix=self.cutmix, rng=rng, step=step)

    @property
    def _affine(self) -> bool:
        return bool(self.degrees or self.translate or self.scale or self.shear)

    def _changed(self, inputs: Tensor, rng: SampleKeys, step: int) -> Tensor:
        """The images without mixing, in a memory format of its own; ``inputs`` stay, for what comes first makes a copy."""
        copying = self.crop or self.resized_crop < 1 or (not self.flip and (self._affine or self.jitter))
        images, size = inputs if copying else inputs.clone(), (inputs.shape[2], inputs.shape[3])
        images = self._colored_(self._moved_(images, rng, step), rng, step)
        if self.cutout:
            cutout_(images, draw_middles(rng, step, size), side=self.cutout, value=self._mean_color(images))
        if self.erase:
            holes = draw_holes(rng, step, probability=self.erase, size=size)
            erase_(images, holes, value=self._mean_color(images))
        return images

    def _moved_(self, images: Tensor, rng: SampleKeys, step: int) -> Tensor:
        size = (images.shape[2], images.shape[3])
        mirrored = draw_flips(rng, step, self.flip) if self.flip else None
        if self.crop:
            images = padded_crop(images, draw_corners(rng, step, self.crop), pixels=self.crop, outside=self.outside)
        if self.resized_crop < 1:
            images = resized_crop(images, draw_parts(rng, step, smallest=self.resized_crop, size=size), mirrored=mirrored)
        elif mirrored is not None:
            flip_(images, mirrored)
        if self._affine:
            sizes = {name: getattr(self, name) for name in ("degrees", "translate", "scale", "shear")}
            images = warp(images, draw_maps(rng, step, size=size, **sizes), outside=self.outside)
        return images

    def _colored_(self, images: Tensor, rng: SampleKeys, step: int) -> Tensor:
        if self.jitter:
            for name, change in (("brightness", brightness), ("contrast", contrast), ("saturation", saturation)):
                images = change(images, rng.uniform(f"augment/{name}", step, low=1 - self.jitter, high=1 + self.jitter))
        if self.policy == "randaugment":
            carry_out_(images, draw_randaugment(rng, step, operations=self.operations, magnitude=self.magnitude), RANDAUGMENT)
        elif self.policy == "trivial":
            carry_out_(images, draw_trivial(rng, step), TRIVIAL)
        return images

    def _mean_color(self, images: Tensor) -> Tensor:
        """One value per channel, (C,); ``torch.tensor(…, device=…)`` would wait for the device."""
        return torch.tensor(self.spec.mean, dtype=images.dtype).to(images.device, non_blocking=True)
