"""A short, wide residual network that trains fast: few layers, each large enough to keep the hardware busy."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models import layers
from dlcli.models.checks import check_at_least, check_counts, check_dropout, check_image, check_momentum
from dlcli.models.heads import output_count
from dlcli.models.initialisation import Init, initialise
from dlcli.models.layers import Activation, Norm
from dlcli.models.pooling import AdaptiveMaxPool2d


class ResNet9(nn.Module):
    """A stem, stages that halve the maps, some followed by residual pairs, max-pool, scaled linear head.

    Page 2018-2019, "How to train your ResNet" (parts 4 and 8), which brought CIFAR-10 to 94 % in about a minute of one GPU.
    A stage is one 3 x 3 convolution with a 2 x 2 max-pool; a residual pair adds what two 3 x 3 convolutions make of the maps.
    Pooling comes before norm and activation (his part 8: max-pooling commutes with a non-decreasing activation). His head
    has no bias, ours has. With the defaults 6,573,130 parameters and 379 million multiply-adds for ten classes of
    32-pixel colour images.

    Args:
        spec: the data as the network sees it; images whose sides are at least ``stem_pool`` x 2 ^ stages pixels; given at
            build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        widths: channels of the stem and of each stage.
        residuals: residual pairs after each stage; one entry fewer than ``widths``.
        stem_pool: max-pool factor of the stem; 1 is none, 2 makes all that follows four times cheaper.
        activation: after each convolution.
        norm: before each activation.
        norm_momentum: share of the newest batch in batch normalisation's running statistics, in (0, 1].
        logit_scale: the logits are multiplied by it, which keeps them small while the learning rate is high; > 0.
        dropout: probability of zeroing one of the head's inputs in training, in [0, 1).
        init: how the weights start; see :mod:`dlcli.models.initialisation`.

    Raises:
        ValueError: the lists do not fit each other or the images, or a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        widths: Sequence[int] = (64, 128, 256, 512),
        residuals: Sequence[int] = (1, 0, 1),
        stem_pool: int = 1,
        activation: Activation = "relu",
        norm: Norm = "batch",
        norm_momentum: float = 0.1,
        logit_scale: float = 0.125,
        dropout: float = 0.0,
        init: Init = "default",
    ) -> None:
        super().__init__()
        check_counts("widths", widths)
        check_at_least("widths", len(widths), 1)
        check_counts("residuals", residuals, length=len(widths) - 1, least=0)
        check_at_least("stem_pool", stem_pool, 1)
        channels, _, _ = check_image("ResNet9", spec.shape, smallest=stem_pool * 2 ** len(residuals))
        check_momentum(norm_momentum)
        check_dropout(dropout)
        if not logit_scale > 0:
            raise ValueError(f"logit_scale must be above 0, got {logit_scale}")

        def block(inputs: int, width: int, pool: int = 1) -> nn.Sequential:
            return layers.conv_block(inputs, width, pool=pool, activation=activation, norm=norm, norm_momentum=norm_momentum)

        self.stem = block(channels, widths[0], stem_pool)
        self.stages = nn.Sequential()
        for inputs, width, count in zip(widths, widths[1:], residuals, strict=False):
            stage = nn.Sequential(block(inputs, width, 2))
            for _ in range(count):
                stage.append(ResidualPair(block(width, width), block(width, width)))
            self.stages.append(stage)
        self.pool = AdaptiveMaxPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], output_count(spec, outputs))
        self.logit_scale = logit_scale
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        logits: Tensor = self.head(self.dropout(self.pool(self.stages(self.stem(inputs))).flatten(1)))
        return logits * self.logit_scale


class ResidualPair(nn.Module):
    """x + g(f(x)): two blocks beside the identity, without an activation after the sum.

    Args:
        first, second: f and g; they keep the shape.
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns maps of the same shape (N, C, H, W)."""
        maps: Tensor = inputs + self.second(self.first(inputs))
        return maps
