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


@dataclass(frozen=True)
class Preprocessing:
    """How raw inputs become what a network was trained on; it goes where the weights go.

    Args:
        shape: of one example as the network sees it; images of another height or width are resized (bilinear,
            antialiased), one channel is repeated where the network wants more.
        mean, std: per channel or column, in raw units.
    """

    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

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
            channels, *size = self.preprocessing.shape
            if list(inputs.shape[2:]) != size:
                inputs = nn.functional.interpolate(inputs, size=size, mode="bilinear", antialias=True)
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
