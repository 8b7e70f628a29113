"""VGG for small images: nothing but 3 x 3 convolutions and pooling."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models import layers
from dlcli.models.checks import check_at_least, check_dropout, check_image
from dlcli.models.heads import output_count
from dlcli.models.initialisation import Init, initialise
from dlcli.models.layers import Activation, Norm

_SMALLEST_IMAGE = 8
_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (1, 2, 4, 8, 8)  # of the five stages, in multiples of the first


class VGG(nn.Module):
    """Stages of 3 x 3 convolutions, each stage halving the maps (Simonyan and Zisserman 2015, table 1: A, B, D and E).

    Where images are small, one linear layer on the last maps' mean takes the place of the paper's three, and batch
    normalisation (Ioffe and Szegedy 2015), which the paper did not know yet, makes the depth trainable from scratch. A stage
    is not halved where its maps are one pixel wide already, so 28 pixels work as well as 32. With depth 11 on
    ten classes of 32-pixel colour images: 9,228,362 parameters, 153 million multiply-adds.

    Args:
        spec: the data as the network sees it, images of at least 8 x 8 pixels; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        depth: layers with weights in the paper's network: 11, 13, 16 or 19. Here two fewer, as the head is one linear layer.
        width: channels of the first stage; the later ones have 2, 4, 8 and 8 times as many.
        activation: after each convolution.
        norm: after each convolution, before its activation; a convolution has a bias only without one.
        dropout: probability of zeroing one of the head's inputs in training, in [0, 1).
        init: how the weights start; see :mod:`dlcli.models.initialisation`.

    Raises:
        ValueError: the images are too small, or a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        depth: Literal[11, 13, 16, 19] = 11,
        width: int = 64,
        activation: Activation = "relu",
        norm: Norm = "batch",
        dropout: float = 0.0,
        init: Init = "he",
    ) -> None:
        super().__init__()
        channels, height, width_of_image = check_image("VGG", spec.shape, smallest=_SMALLEST_IMAGE)
        side = min(height, width_of_image)
        if depth not in _CONVOLUTIONS:
            raise ValueError(f"depth must be one of {', '.join(map(str, _CONVOLUTIONS))}, got {depth}")
        check_at_least("width", width, 1)
        check_dropout(dropout)
        self.features = nn.Sequential()
        for number, (count, factor) in enumerate(zip(_CONVOLUTIONS[depth], _WIDTHS, strict=True), 1):
            stage = nn.Sequential()
            for position in range(1, count + 1):
                stage.add_module(f"conv{position}", layers.conv_block(channels, factor * width, activation=activation, norm=norm))
                channels = factor * width
            if side > 1:
                stage.add_module("pool", nn.MaxPool2d(2))
                side //= 2
            self.features.add_module(f"stage{number}", stage)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, output_count(spec, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        logits: Tensor = self.head(self.dropout(self.pool(self.features(inputs)).flatten(1)))
        return logits
