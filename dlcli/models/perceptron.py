"""Rosenblatt's perceptron: one neuron."""

from __future__ import annotations

import math

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models.heads import output_count
from dlcli.models.initialisation import initialise
from dlcli.models.table_encoder import TableEncoder


class Perceptron(nn.Module):
    """One neuron, z = w·x + b, that fires where z > 0 (Rosenblatt 1958); takes images or tables.

    Its output is one binary logit z, so the threshold [z > 0] is what :func:`dlcli.classifier.predicted_classes` computes
    from it. Trained on one example at a time with the perceptron loss it follows Rosenblatt's rule. Weights and bias start
    at zero: there are no hidden units whose symmetry must be broken, and from zero the learning rate only scales w and b,
    so it changes no answer.

    A table's categories are one input each, 0 or 1. For more than two classes it is one neuron per class, of which the one
    with the largest z answers.

    Args:
        spec: the data as the network sees it; given at build time.
        outputs: neurons; None is one for two classes and else one per class.

    Raises:
        ValueError: ``outputs`` does not fit the classes.
    """

    def __init__(self, *, spec: DataSpec, outputs: int | None = None) -> None:
        super().__init__()
        wanted = 1 if outputs is None and len(spec.classes) == 2 else outputs
        encoder = TableEncoder(spec.columns, embedding="one_hot")
        self.encoder = encoder if spec.columns else nn.Flatten()
        self.head = nn.Linear(encoder.features if spec.columns else math.prod(spec.shape), output_count(spec, wanted))
        initialise(self, "zeros")

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised inputs (N, C, H, W) or (N, D)."""
        logits: Tensor = self.head(self.encoder(inputs))
        return logits
