"""Residual networks of basic blocks, with a stem for small images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models import layers
from dlcli.models.checks import check_at_least, check_counts, check_dropout, check_image
from dlcli.models.heads import output_count
from dlcli.models.layers import Activation, Norm

_SMALLEST_IMAGE = 8


class ResNet(nn.Module):
    """Blocks that learn what to add to their input, f(x) + x (He, Zhang, Ren and Sun 2016, figure 2 and equation 1).

    The stem is one 3 x 3 convolution at stride 1 without pooling, as in the paper's CIFAR networks (section 4.2); all else
    is its table 1: each stage after the first halves the maps and doubles the channels in its first block, whose shortcut
    is then a 1 x 1 convolution (option B). Two blocks in each of four stages are ResNet-18: 11,173,962 parameters and 555
    million multiply-adds for ten classes of 32-pixel colour images. Convolutions start normal with variance 2 / n_out (He
    et al. 2015, section 2.2, backward case), as torchvision's do.

    Args:
        spec: the data as the network sees it, images of at least 8 x 8 pixels; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        blocks: residual blocks in each stage; (2, 2, 2, 2) is ResNet-18, (3, 4, 6, 3) ResNet-34.
        width: channels of the stem and the first stage.
        activation: after the stem, in each block and after each sum.
        norm: after each convolution.
        dropout: probability of zeroing one of the head's inputs in training, in [0, 1).
        zero_residual: start each block's last norm at zero, so that the block starts as the identity (Goyal et al. 2017,
            section 5.1); needs a norm.

    Raises:
        ValueError: the images are too small, or a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        blocks: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        activation: Activation = "relu",
        norm: Norm = "batch",
        dropout: float = 0.0,
        zero_residual: bool = False,
    ) -> None:
        super().__init__()
        channels, _, _ = check_image("ResNet", spec.shape, smallest=_SMALLEST_IMAGE)
        check_counts("blocks", blocks)
        check_at_least("blocks", len(blocks), 1)
        check_at_least("width", width, 1)
        check_dropout(dropout)
        if zero_residual and norm == "none":
            raise ValueError("zero_residual needs a norm, got norm=none")
        self.stem = layers.conv_block(channels, width, activation=activation, norm=norm)
        self.stages = nn.Sequential()
        inputs = width
        for number, count in enumerate(blocks):
            outputs_here = width * 2**number
            stage = nn.Sequential()
            for position in range(count):
                stride = 2 if number > 0 and position == 0 else 1
                stage.append(ResidualBlock(inputs, outputs_here, stride=stride, activation=activation, norm=norm))
                inputs = outputs_here
            self.stages.append(stage)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs, output_count(spec, outputs))
        self._initialise(zero_residual)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        logits: Tensor = self.head(self.dropout(self.pool(self.stages(self.stem(inputs))).flatten(1)))
        return logits

    def _initialise(self, zero_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, ResidualBlock) and zero_residual:
                nn.init.zeros_(cast(Tensor, module.norm2.weight))


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut: activation(f(x) + s(x)), s the identity where the shapes allow.

    Args:
        inputs, outputs: channels.
        stride: of the first convolution and of the shortcut, in pixels.
        activation, norm: by name.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int, activation: str, norm: str) -> None:
        super().__init__()
        bias = norm == "none"
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias)
        self.norm1 = layers.norm2d(norm, outputs)
        self.activation1 = layers.activation(activation)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=bias)
        self.norm2 = layers.norm2d(norm, outputs)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut.add_module("conv", nn.Conv2d(inputs, outputs, 1, stride, bias=bias))
            self.shortcut.add_module("norm", layers.norm2d(norm, outputs))
        self.activation2 = layers.activation(activation)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns maps (N, C', H', W') of maps (N, C, H, W)."""
        residual = self.norm2(self.conv2(self.activation1(self.norm1(self.conv1(inputs)))))
        maps: Tensor = self.activation2(residual + self.shortcut(inputs))
        return maps
