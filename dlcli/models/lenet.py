"""LeNet-5, the first convolutional network in wide use."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models import layers
from dlcli.models.checks import check_dropout, check_image
from dlcli.models.heads import output_count
from dlcli.models.initialisation import Init, initialise
from dlcli.models.layers import Activation

_SMALLEST_IMAGE = 12
_PADDED_BELOW = 32  # pixels: the size that LeCun's 28-pixel digits were centred in
_POOLS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNet(nn.Module):
    """LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, section II.B): two convolutions, each pooled, three linear layers.

    convolution 5 x 5 to 6 maps → pool → convolution 5 x 5 to 16 maps → pool → 120 units → 84 units → outputs; on 28- and
    32-pixel images with one channel and ten classes 61,706 parameters. Images below 32 pixels get a border of 2 pixels, as
    the paper's digits did.

    It differs from the paper where everybody's does: pooling has no weights, the second convolution sees all maps of
    the first (the paper's table I leaves connections out), tanh is not scaled, and the outputs are linear, not distances
    to drawn characters. ``activation=relu pool=max`` is the modern variant, which learns faster.

    Args:
        spec: the data as the network sees it, images of at least 12 x 12 pixels; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        activation: after each layer but the last; the paper's is tanh.
        pool: average, as in the paper, or max; factor 2.
        dropout: probability of zeroing a unit of the linear layers in training, in [0, 1); the paper has none.
        init: how the weights start; see :mod:`dlcli.models.initialisation`.

    Raises:
        ValueError: the images are too small, or a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        activation: Activation = "tanh",
        pool: Literal["average", "max"] = "average",
        dropout: float = 0.0,
        init: Init = "default",
    ) -> None:
        super().__init__()
        channels, height, width = check_image("LeNet", spec.shape, smallest=_SMALLEST_IMAGE)
        check_dropout(dropout)
        if pool not in _POOLS:
            raise ValueError(f"pool must be average or max, got '{pool}'")
        padding = 2 if min(height, width) < _PADDED_BELOW else 0
        self.features = nn.Sequential(
            _stage(channels, 6, padding, activation, pool),
            _stage(6, 16, 0, activation, pool),
        )
        maps = 16 * _side_after(height, padding) * _side_after(width, padding)
        self.hidden = nn.Sequential(_linear(maps, 120, activation, dropout), _linear(120, 84, activation, dropout))
        self.head = nn.Linear(84, output_count(spec, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        logits: Tensor = self.head(self.hidden(self.features(inputs).flatten(1)))
        return logits


def _stage(inputs: int, outputs: int, padding: int, activation: str, pool: str) -> nn.Sequential:
    stage = nn.Sequential()
    stage.add_module("conv", nn.Conv2d(inputs, outputs, 5, padding=padding))
    stage.add_module("activation", layers.activation(activation))
    stage.add_module("pool", _POOLS[pool](2))
    return stage


def _linear(inputs: int, units: int, activation: str, dropout: float) -> nn.Sequential:
    layer = nn.Sequential()
    layer.add_module("linear", nn.Linear(inputs, units))
    layer.add_module("activation", layers.activation(activation))
    layer.add_module("dropout", nn.Dropout(dropout))
    return layer


def _side_after(side: int, padding: int) -> int:
    """Pixels along a side of the last maps, for ``side`` pixels of the image."""
    return ((side + 2 * padding - 4) // 2 - 4) // 2
