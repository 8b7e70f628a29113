"""Convolutions without normalisation and fully connected layers: the networks that robust training on MNIST is known for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models import layers
from dlcli.models.checks import check_at_least, check_counts, check_dropout, check_image
from dlcli.models.heads import output_count
from dlcli.models.initialisation import Init, initialise
from dlcli.models.layers import Activation

_SMALLEST_IMAGE = 8


class PlainCNN(nn.Module):
    """Convolution → activation → max-pool, block after block, then fully connected layers; nothing is normalised.

    With the defaults, on MNIST, it is the SmallCNN of Zhang et al. 2019 ("Theoretically principled trade-off", appendix): four
    3 x 3 convolutions without padding, 312,202 parameters. Without batch statistics an example's answer in training does not
    depend on the others of its batch, so adversarial examples and clean ones are seen alike.

    Args:
        spec: the data as the network sees it; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        widths: channels that each convolution gives.
        kernel_sizes: in pixels.
        strides: of each convolution, in pixels.
        paddings: pixels around each convolution's input, below half the kernel or equal.
        pools: max-pool factor after each block; 1 is none.
        hidden: units of each fully connected layer before the head; may be empty.
        dropout: probability of zeroing a unit of the first of them in training, in [0, 1).
        activation: after each layer but the head; see :mod:`dlcli.models.layers`.
        init: how the weights start; see :mod:`dlcli.models.initialisation`.

    Raises:
        ValueError: the lists do not fit each other or the images, or a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        widths: Sequence[int] = (32, 32, 64, 64),
        kernel_sizes: Sequence[int] = (3, 3, 3, 3),
        strides: Sequence[int] = (1, 1, 1, 1),
        paddings: Sequence[int] = (0, 0, 0, 0),
        pools: Sequence[int] = (1, 2, 1, 2),
        hidden: Sequence[int] = (200, 200),
        dropout: float = 0.5,
        activation: Activation = "relu",
        init: Init = "default",
    ) -> None:
        super().__init__()
        shape = check_image("PlainCNN", spec.shape, smallest=_smallest(kernel_sizes, strides, paddings, pools, count=len(widths)))
        check_counts("widths", widths)
        check_counts("hidden", hidden)
        check_dropout(dropout)
        self.features = nn.Sequential()
        for number, (inputs, outputs_) in enumerate(pairwise([shape[0], *widths])):
            block = nn.Sequential()
            conv = nn.Conv2d(inputs, outputs_, kernel_sizes[number], strides[number], paddings[number])
            block.add_module("conv", conv)
            block.add_module("activation", layers.activation(activation))
            block.add_module("pool", nn.MaxPool2d(pools[number]) if pools[number] > 1 else nn.Identity())
            self.features.add_module(str(number), block)
        sides = [_side_after(side, kernel_sizes, strides, paddings, pools) for side in shape[1:]]
        self.hidden = nn.Sequential()
        for number, (inputs, units) in enumerate(pairwise([widths[-1] * math.prod(sides), *hidden])):
            layer = nn.Sequential()
            layer.add_module("linear", nn.Linear(inputs, units))
            layer.add_module("activation", layers.activation(activation))
            layer.add_module("dropout", nn.Dropout(dropout if number == 0 else 0.0))
            self.hidden.add_module(str(number), layer)
        self.head = nn.Linear([widths[-1] * math.prod(sides), *hidden][-1], output_count(spec, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        logits: Tensor = self.head(self.hidden(torch.flatten(self.features(inputs), 1)))
        return logits


def _side_after(
    side: int, kernel_sizes: Sequence[int], strides: Sequence[int], paddings: Sequence[int], pools: Sequence[int]
) -> int:
    """Pixels along a side of the last maps, for ``side`` pixels of the image; below 1 where nothing is left."""
    for kernel, stride, padding, pool in zip(kernel_sizes, strides, paddings, pools, strict=True):
        if side + 2 * padding < kernel:
            return 0
        side = ((side + 2 * padding - kernel) // stride + 1) // pool
    return side


def _smallest(
    kernel_sizes: Sequence[int], strides: Sequence[int], paddings: Sequence[int], pools: Sequence[int], *, count: int
) -> int:
    """The smallest side that leaves a pixel. Raises ValueError for lists that no block can be made of."""
    for name, values in (("kernel_sizes", kernel_sizes), ("strides", strides), ("pools", pools)):
        check_counts(name, values, length=count)
    check_counts("paddings", paddings, length=count, least=0)
    check_at_least("widths", count, 1)
    side = _SMALLEST_IMAGE
    while _side_after(side, kernel_sizes, strides, paddings, pools) < 1:
        side += 1
    return side
