"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6, made for small devices."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models.checks import check_dropout, check_image
from dlcli.models.heads import output_count

_SMALLEST_IMAGE = 32
_STEM, _HEAD = 32, 1280
# Of EfficientNet-B0 (Tan and Le 2019, table 1): repeats, kernel, stride, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}  # width, depth
SIDES = {0: 224, 1: 240, 2: 260}  # pixels that the published weights were trained on


class EfficientNetLite(nn.Module):
    """Inverted bottlenecks scaled in width and depth together (Tan and Le 2019; the Lite variants: Liu 2020, TensorFlow blog).

    Stem, head, and the repeats of the first and last stage stay as they are in all variants. Strided convolutions are padded
    as TensorFlow does, more at the end than at the beginning: the published weights need it. With 1,000 classes 4.65, 5.42 and
    6.09 million parameters.

    Args:
        spec: the data as the network sees it, images of at least 32 x 32 pixels; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        variant: 0, 1 or 2, made for 224, 240 and 260 pixels.
        dropout: before the head, probability in [0, 1).

    Raises:
        ValueError: the images are too small, or a value is out of its range.
    """

    def __init__(
        self, *, spec: DataSpec, outputs: int | None = None, variant: Literal[0, 1, 2] = 0, dropout: float = 0.2
    ) -> None:
        super().__init__()
        channels, _, _ = check_image("EfficientNet-Lite", spec.shape, smallest=_SMALLEST_IMAGE)
        if variant not in _SCALES:
            raise ValueError(f"variant must be one of {', '.join(map(str, _SCALES))}, got {variant}")
        check_dropout(dropout)
        width, depth = _SCALES[variant]
        self.stem = SameConv2d(channels, _STEM, 3, stride=2, bias=False)
        self.stem_norm = _norm(_STEM)
        self.blocks = nn.Sequential()
        before = _STEM
        for number, (repeats, kernel, stride, expansion, base) in enumerate(_STAGES):
            after = _rounded(base * width)
            at_an_end = number in {0, len(_STAGES) - 1}
            for position in range(repeats if at_an_end else math.ceil(repeats * depth)):
                self.blocks.append(Bottleneck(before, after, kernel, stride if position == 0 else 1, expansion))
                before = after
        self.head = nn.Conv2d(before, _HEAD, 1, bias=False)
        self.head_norm = _norm(_HEAD)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(_HEAD, output_count(spec, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        maps = nn.functional.relu6(self.stem_norm(self.stem(inputs)))
        maps = nn.functional.relu6(self.head_norm(self.head(self.blocks(maps))))
        logits: Tensor = self.classifier(self.dropout(self.pool(maps).flatten(1)))
        return logits


class Bottleneck(nn.Module):
    """An inverted bottleneck: wider by 1 x 1, filtered channel by channel, narrower by 1 x 1 (Sandler et al. 2018).

    Shapes: (N, before, H, W) → (N, after, ⌈H / stride⌉, ⌈W / stride⌉); what goes in is added where the two are alike.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        self.expand = nn.Conv2d(before, wide, 1, bias=False) if expansion > 1 else nn.Identity()
        self.expand_norm = _norm(wide) if expansion > 1 else nn.Identity()
        self.depthwise = SameConv2d(wide, wide, kernel, stride=stride, groups=wide, bias=False)
        self.depthwise_norm = _norm(wide)
        self.project = nn.Conv2d(wide, after, 1, bias=False)
        self.project_norm = _norm(after)
        self.expands = expansion > 1
        self.adds = stride == 1 and before == after

    def forward(self, maps: Tensor) -> Tensor:
        """Returns the block's maps."""
        wide = nn.functional.relu6(self.expand_norm(self.expand(maps))) if self.expands else maps
        wide = nn.functional.relu6(self.depthwise_norm(self.depthwise(wide)))
        narrow: Tensor = self.project_norm(self.project(wide))
        return narrow + maps if self.adds else narrow


class SameConv2d(nn.Conv2d):
    """A convolution whose maps have ⌈side / stride⌉ pixels; an odd number of zeros has the larger half at the end."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the maps of ``input`` (N, C, H, W)."""
        margins: list[int] = []
        for side, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            margins += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(input, margins))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _rounded(channels: float) -> int:
    """The multiple of 8 next to ``channels``, not less than nine tenths of it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
