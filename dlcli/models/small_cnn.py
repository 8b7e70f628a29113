"""Small convolutional networks that train in seconds on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models import layers
from dlcli.models.checks import check_at_least, check_dropout, check_image, check_momentum
from dlcli.models.heads import output_count
from dlcli.models.initialisation import Init, initialise
from dlcli.models.layers import Activation, Norm
from dlcli.models.pooling import AdaptiveMaxPool2d

_SMALLEST_IMAGE = 8


class SmallCNN(nn.Module):
    """Convolution blocks, adaptive max-pool, linear head; for images of at least 8 x 8 pixels with any channels.

    A block is convolution → max-pool → norm → activation, :func:`dlcli.models.layers.conv_block`. The four lists have one
    entry per block. On 28 x 28 images the defaults keep 7 x 7 maps in the last block, enough for a class activation map, and
    come to 26,234 parameters for MNIST. On CPUs channels-last inputs or weights halve the time of a step.

    Weights are drawn from torch's global generator alone.

    Args:
        spec: the data as the network sees it; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        widths: channels that each convolution gives.
        kernel_sizes: in pixels; padding is half a kernel, so odd kernels at stride 1 keep the size.
        strides: of each convolution, in pixels.
        pools: max-pool factor after each convolution; 1 is none.
        final_pool: the head sees the last maps max-pooled to final_pool x final_pool.
        activation: in each block; see :mod:`dlcli.models.layers`.
        norm: in each block; a convolution has a bias only without one.
        dropout: probability of zeroing one of the head's inputs in training, in [0, 1).
        norm_momentum: share of the newest batch in batch normalisation's running statistics, in (0, 1].
        init: how the weights start; see :mod:`dlcli.models.initialisation`.

    Raises:
        ValueError: the lists do not fit each other or the images, or a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        widths: Sequence[int] = (16, 32, 64),
        kernel_sizes: Sequence[int] = (5, 3, 3),
        strides: Sequence[int] = (1, 1, 1),
        pools: Sequence[int] = (2, 2, 1),
        final_pool: int = 2,
        activation: Activation = "relu",
        norm: Norm = "batch",
        dropout: float = 0.0,
        norm_momentum: float = 0.1,
        init: Init = "default",
    ) -> None:
        super().__init__()
        blocks = _blocks(widths=widths, kernel_sizes=kernel_sizes, strides=strides, pools=pools)
        _check_image(spec.shape, blocks)
        check_at_least("final_pool", final_pool, 1)
        check_dropout(dropout)
        check_momentum(norm_momentum)
        channels = [spec.shape[0], *widths]
        self.features = nn.Sequential(
            *(
                layers.conv_block(
                    inputs,
                    block.width,
                    kernel_size=block.kernel_size,
                    stride=block.stride,
                    pool=block.pool,
                    activation=activation,
                    norm=norm,
                    norm_momentum=norm_momentum,
                )
                for inputs, block in zip(channels, blocks, strict=False)
            )
        )
        self.pool = AdaptiveMaxPool2d(final_pool)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels[-1] * final_pool**2, output_count(spec, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        logits: Tensor = self.head(self.dropout(self.pool(self.features(inputs)).flatten(1)))
        return logits


@dataclass(frozen=True)
class _Block:
    """The numbers of one block."""

    width: int
    kernel_size: int
    stride: int
    pool: int

    def size_after(self, size: int) -> int:
        """Pixels along one side of the block's output, for ``size`` of its input."""
        return ((size + 2 * (self.kernel_size // 2) - self.kernel_size) // self.stride + 1) // self.pool


def _blocks(**lists: Sequence[int]) -> list[_Block]:
    """One block per column of the lists. Raises ValueError where they are empty, of unlike length or not positive."""
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"widths, kernel_sizes, strides and pools must be equally long, got {found}")
    for name, values in lists.items():
        if not values or min(values) < 1:
            raise ValueError(f"{name} must hold numbers of at least 1, one per block, got {list(values)}")
    return [_Block(*column) for column in zip(*lists.values(), strict=True)]


def _check_image(shape: tuple[int, ...], blocks: Sequence[_Block]) -> None:
    """Raises ValueError where an example is no image, is too small, or shrinks to nothing on its way."""
    side = min(check_image("SmallCNN", shape, smallest=_SMALLEST_IMAGE)[1:])
    for number, block in enumerate(blocks, 1):
        side = block.size_after(side)
        if side < 1:
            raise ValueError(f"strides and pools leave no pixel of {shape[1]} x {shape[2]} images after block {number}")
