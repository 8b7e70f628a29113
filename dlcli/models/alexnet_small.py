"""AlexNet's design for small images."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models import layers
from dlcli.models.checks import check_counts, check_dropout, check_image
from dlcli.models.heads import output_count
from dlcli.models.initialisation import Init, initialise
from dlcli.models.layers import Activation

_SMALLEST_IMAGE = 8
_KERNEL_SIZES = (5, 3, 3, 3, 3)
_POOLED = (True, True, False, False, True)
_NORMALISED = (True, True, False, False, False)
_FINAL_SIDE = 4


class AlexNetSmall(nn.Module):
    """Five convolutions, then wide linear layers with dropout (Krizhevsky, Sutskever and Hinton 2012, section 3.5).

    As in the paper the first, second and fifth convolution are followed by overlapping max-pools (3 x 3, stride 2), and the
    linear layers hold most of the weights. For images of about 32 instead of 224 pixels the first convolution is 5 x 5
    at stride 1, not 11 x 11 at stride 4, the second 3 x 3, and the linear layers have 1,024 instead of 4,096 units. The default
    channels are those of one of the paper's two GPUs. The last maps are pooled to 4 x 4, which is their size on 32 pixels.
    For ten classes of 32-pixel colour images: 4.0 million parameters, 71 million multiply-adds.

    Args:
        spec: the data as the network sees it, images of at least 8 x 8 pixels; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        widths: channels of the five convolutions.
        hidden: units of each linear layer before the head.
        activation: after each layer but the last; the paper's is relu.
        norm: local is the paper's response normalisation after the first two activations (its section 3.3: k = 2, n = 5,
            alpha = 1e-4, beta = 0.75); batch is batch normalisation before each convolution's activation, which lets the
            learning rate be several times higher; none.
        dropout: probability of zeroing an input of each linear layer but the head in training, in [0, 1).
        init: how the weights start; see :mod:`dlcli.models.initialisation`. Without batch normalisation eight layers need he.

    Raises:
        ValueError: the images are too small, or a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        widths: Sequence[int] = (48, 128, 192, 192, 128),
        hidden: Sequence[int] = (1024, 1024),
        activation: Activation = "relu",
        norm: Literal["none", "local", "batch"] = "none",
        dropout: float = 0.5,
        init: Init = "he",
    ) -> None:
        super().__init__()
        channels, _, _ = check_image("AlexNetSmall", spec.shape, smallest=_SMALLEST_IMAGE)
        check_counts("widths", widths, length=5)
        check_counts("hidden", hidden)
        check_dropout(dropout)
        if norm not in {"none", "local", "batch"}:
            raise ValueError(f"norm must be none, local or batch, got '{norm}'")
        pairs = itertools.pairwise([channels, *widths])
        self.features = nn.Sequential(*(_stage(number, *pair, activation, norm) for number, pair in enumerate(pairs)))
        self.pool = nn.AdaptiveAvgPool2d(_FINAL_SIDE)
        sizes = [widths[-1] * _FINAL_SIDE**2, *hidden]
        self.hidden = nn.Sequential(*(_linear(*pair, activation, dropout) for pair in itertools.pairwise(sizes)))
        self.head = nn.Linear(sizes[-1], output_count(spec, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        logits: Tensor = self.head(self.hidden(self.pool(self.features(inputs)).flatten(1)))
        return logits


def _stage(number: int, inputs: int, outputs: int, activation: str, norm: str) -> nn.Sequential:
    """One convolution with what follows it."""
    stage = layers.conv_block(
        inputs,
        outputs,
        kernel_size=_KERNEL_SIZES[number],
        activation=activation,
        norm="batch" if norm == "batch" else "none",
    )
    if norm == "local" and _NORMALISED[number]:
        # PyTorch divides alpha by n, the paper does not.
        stage.add_module("response_norm", nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0))
    if _POOLED[number]:
        stage.add_module("overlapping_pool", nn.MaxPool2d(3, stride=2, padding=1))
    return stage


def _linear(inputs: int, units: int, activation: str, dropout: float) -> nn.Sequential:
    layer = nn.Sequential()
    layer.add_module("dropout", nn.Dropout(dropout))
    layer.add_module("linear", nn.Linear(inputs, units))
    layer.add_module("activation", layers.activation(activation))
    return layer
