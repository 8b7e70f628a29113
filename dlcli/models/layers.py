"""Layers by name: activations and normalisations that a model's YAML can choose."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

from torch import nn

from dlcli.errors import did_you_mean

Activation = Literal["relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "identity"]
Norm = Literal["batch", "group", "layer", "none"]

_Layer = TypeVar("_Layer")

# None works in place: hooks on a layer must still find its input as it was.
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}
# By channels and momentum; the latter is batch normalisation's alone.
_NORMS_2D: dict[str, Callable[[int, float], nn.Module]] = {
    "batch": lambda channels, momentum: nn.BatchNorm2d(channels, momentum=momentum),
    "group": lambda channels, momentum: nn.GroupNorm(_groups(channels), channels),
    "layer": lambda channels, momentum: nn.GroupNorm(1, channels),
    "none": lambda channels, momentum: nn.Identity(),
}
_NORMS_1D: dict[str, Callable[[int, float], nn.Module]] = {
    "batch": lambda channels, momentum: nn.BatchNorm1d(channels, momentum=momentum),
    "group": lambda channels, momentum: nn.GroupNorm(_groups(channels), channels),
    "layer": lambda channels, momentum: nn.LayerNorm(channels),
    "none": lambda channels, momentum: nn.Identity(),
}


def activation(name: str) -> nn.Module:
    """Returns a new activation layer with PyTorch's default parameters (leaky ReLU's slope is 0.01, GELU is exact).

    Raises:
        ValueError: there is none of that name.
    """
    return _pick(_ACTIVATIONS, name, "activation")()


def norm2d(name: str, channels: int, *, momentum: float = 0.1) -> nn.Module:
    """Returns a new normalisation layer for maps (N, C, H, W).

    Args:
        name: batch; group: up to 8 groups of channels (as many as divide them); layer: all channels and pixels of an
            image together, which is group normalisation with one group (Wu and He 2018, figure 2); or none.
        channels: C.
        momentum: share of the newest batch in batch normalisation's running statistics.

    Raises:
        ValueError: there is none of that name.
    """
    return _pick(_NORMS_2D, name, "norm")(channels, momentum)


def norm1d(name: str, channels: int, *, momentum: float = 0.1) -> nn.Module:
    """Returns a new normalisation layer for vectors (N, C); names as for :func:`norm2d`, layer over each vector.

    Raises:
        ValueError: there is none of that name.
    """
    return _pick(_NORMS_1D, name, "norm")(channels, momentum)


def conv_block(
    inputs: int,
    outputs: int,
    *,
    kernel_size: int = 3,
    stride: int = 1,
    pool: int = 1,
    activation: str = "relu",
    norm: str = "batch",
    norm_momentum: float = 0.1,
) -> nn.Sequential:
    """Returns convolution → max-pool → norm → activation, for maps (N, C, H, W).

    Pooling comes first because norm and activation then work on fewer pixels; max-pooling before or after a
    non-decreasing activation gives the same. The convolution has a bias only without a norm, which brings one.

    Args:
        inputs, outputs: channels.
        kernel_size: in pixels; padding is half a kernel, so odd kernels at stride 1 keep the size.
        stride: in pixels.
        pool: max-pool factor; 1 is none.
        activation, norm: by name.
        norm_momentum: see :func:`norm2d`.

    Raises:
        ValueError: there is no such activation or norm.
    """
    block = nn.Sequential()
    block.add_module("conv", nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, bias=norm == "none"))
    block.add_module("pool", nn.MaxPool2d(pool) if pool > 1 else nn.Identity())
    block.add_module("norm", norm2d(norm, outputs, momentum=norm_momentum))
    block.add_module("activation", _pick(_ACTIVATIONS, activation, "activation")())
    return block


def _groups(channels: int) -> int:
    return math.gcd(8, channels)


def _pick(table: Mapping[str, _Layer], name: str, what: str) -> _Layer:
    if name not in table:
        raise ValueError(f"{what} must be one of {', '.join(table)}, got '{name}'{did_you_mean(name, table)}")
    return table[name]
