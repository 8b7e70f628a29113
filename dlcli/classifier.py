"""The model side of the contracts: preprocessing and network as one module, what its logits mean, and how it is lent.

Letters in shapes as in :mod:`dlcli.contracts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.contracts import DataSpec

INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Preprocessing:
    """How raw inputs become what a network was trained on; it goes where the weights go.

    Args:
        shape: of one example as the network sees it; one channel is repeated where the network wants more.
        mean, std: per channel or column, in raw units.
        resize: None stretches images of another height or width to ``shape``. A number of pixels is what their shorter side
            is brought to, always, before the middle of ``shape`` is cut out, as published ImageNet weights want it.
        interpolation: "bilinear" or "bicubic", both antialiased.

    Raises:
        ValueError: there is no such interpolation, or less would be left than is cut out.
    """

    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: int | None = None
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {self.interpolation!r}")
        if self.resize is not None and (len(self.shape) != 3 or self.resize < max(self.shape[1:])):
            raise ValueError(f"resize must be at least the sides of {self.shape}, got {self.resize}")

    def fit(self, images: Tensor) -> Tensor:
        """Returns images (N, C, H, W) in [0, 1] with the height and width that the network sees, still in [0, 1]."""
        height, width = self.shape[1:]
        if self.resize is None:
            return self._scaled(images, (height, width))
        own = images.shape[2:]
        short = min(own)
        images = self._scaled(images, (self.resize * own[0] // short, self.resize * own[1] // short))
        # Rounded half to even, as torchvision's CenterCrop does.
        top, left = round((images.shape[2] - height) / 2), round((images.shape[3] - width) / 2)
        return images[:, :, top : top + height, left : left + width]

    def _scaled(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        if tuple(images.shape[2:]) == size:
            return images
        scaled = nn.functional.interpolate(images, size=size, mode=self.interpolation, antialias=True)
        # Bicubic weights are partly negative, so edges overshoot.
        return scaled.clamp(0, 1) if self.interpolation == "bicubic" else scaled

    @classmethod
    def of(cls, spec: DataSpec) -> Preprocessing:
        """Returns the preprocessing of a network that is trained on this data from scratch."""
        return cls(spec.shape, spec.mean, spec.std)


class Classifier(nn.Module):
    """Preprocessing and network in one module: raw inputs in, raw logits (N, K) out.

    Preprocessing lives here, so an attack's epsilon, a heat map and an exported file mean what the user thinks.
    The buffers do not enter the state: they are rebuilt from ``preprocessing``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: DataSpec, net: nn.Module, *, preprocessing: Preprocessing | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.net = net
        self.preprocessing = preprocessing or Preprocessing.of(spec)
        trailing = (1,) * (len(spec.shape) - 1)
        self.register_buffer("mean", torch.tensor(self.preprocessing.mean).reshape(1, -1, *trailing), persistent=False)
        self.register_buffer("std", torch.tensor(self.preprocessing.std).reshape(1, -1, *trailing), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.ndim == 2:
            standardised = (inputs - self.mean) / self.std
            # A missing number becomes the mean of train, a missing category the code of an unknown one: both are 0 by now.
            return self.net(standardised.masked_fill(standardised.isnan(), 0.0))  # type: ignore[no-any-return]
        if inputs.ndim == 4:
            channels = self.preprocessing.shape[0]
            inputs = self.preprocessing.fit(inputs)
            if inputs.shape[1] == 1 and channels != 1:
                inputs = inputs.expand(-1, channels, -1, -1)
        return self.net((inputs - self.mean) / self.std)  # type: ignore[no-any-return]


def class_logits(logits: Tensor) -> Tensor:
    """Returns logits with one column per class, (N, P): one binary logit z becomes (-z/2, z/2), so softmax gives sigmoid(z)."""
    return torch.cat([-logits / 2, logits / 2], dim=1) if logits.shape[1] == 1 else logits


def probabilities(logits: Tensor) -> Tensor:
    """Returns class probabilities (N, P) of raw logits (N, K)."""
    return class_logits(logits).softmax(dim=1)


def predicted_classes(logits: Tensor) -> Tensor:
    """Returns the predicted class numbers, int64 (N,)."""
    return class_logits(logits).argmax(dim=1)


def ask(model: nn.Module, inputs: Tensor, index: Tensor) -> Tensor:
    """Returns raw logits (N, K). A model that answers by example (it has ``by_example``) is told which these are, int64 (N,)."""
    logits: Tensor = model(inputs, index) if getattr(model, "by_example", False) else model(inputs)
    return logits


@contextmanager
def borrowed(model: nn.Module) -> Iterator[None]:
    """Lends a model for attacking or explaining it: evaluation mode (BatchNorm's buffers stay), no parameter gradients.

    Gives back, also after an exception, each module's training flag and each parameter's ``requires_grad`` and ``.grad``.
    """
    modes = [(module, module.training) for module in model.modules()]
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    try:
        model.eval()
        for parameter, _, _ in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, needed, gradient in parameters:
            parameter.requires_grad_(needed)
            parameter.grad = gradient
