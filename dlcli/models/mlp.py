"""Fully connected networks; with no hidden layer, a linear model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models import layers
from dlcli.models.heads import output_count
from dlcli.models.initialisation import Init, initialise
from dlcli.models.layers import Activation, Norm
from dlcli.models.table_encoder import Embedding, TableEncoder


class MLP(nn.Module):
    """Flatten, hidden layers, linear head. Takes images, or tables, whose categories become vectors first.

    A hidden layer is linear → norm → activation → dropout. Weights are drawn from torch's global generator alone.

    Args:
        spec: the data as the network sees it; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        widths: units of each hidden layer; none makes a linear model (softmax regression).
        activation: after each hidden layer; see :mod:`dlcli.models.layers`.
        norm: before each activation; batch normalisation cannot train on a batch of one example.
        dropout: probability of zeroing a hidden unit in training, in [0, 1).
        init: how the weights start; see :mod:`dlcli.models.initialisation`.
        embedding: what a table's categories become; see :class:`~dlcli.models.table_encoder.TableEncoder`.
        embedding_dropout: probability of zeroing a category's feature in training, in [0, 1).

    Raises:
        ValueError: a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        widths: Sequence[int] = (256, 128),
        activation: Activation = "relu",
        norm: Norm = "none",
        dropout: float = 0.0,
        init: Init = "default",
        embedding: Embedding = "embedding",
        embedding_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if any(width < 1 for width in widths):
            raise ValueError(f"widths must be at least 1 each, got {list(widths)}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        encoder = TableEncoder(spec.columns, embedding=embedding, dropout=embedding_dropout)
        self.encoder = encoder if spec.columns else nn.Flatten()
        sizes = [encoder.features if spec.columns else math.prod(spec.shape), *widths]
        hidden = [_hidden(*pair, activation, norm, dropout) for pair in itertools.pairwise(sizes)]
        self.hidden = nn.Sequential(*hidden)
        self.head = nn.Linear(sizes[-1], output_count(spec, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised inputs (N, C, H, W) or (N, D)."""
        logits: Tensor = self.head(self.hidden(self.encoder(inputs)))
        return logits


def _hidden(inputs: int, units: int, activation: str, norm: str, dropout: float) -> nn.Sequential:
    """One hidden layer; its normalisation brings the bias."""
    layer = nn.Sequential()
    layer.add_module("linear", nn.Linear(inputs, units, bias=norm == "none"))
    layer.add_module("norm", layers.norm1d(norm, units))
    layer.add_module("activation", layers.activation(activation))
    layer.add_module("dropout", nn.Dropout(dropout))
    return layer
