"""Plain supervised training: the loss of the model's answers on the batch as it is."""

from __future__ import annotations

from torch import nn

from dlcli.contracts import Batch, Loss, Objective
from dlcli.randomness import SampleKeys


class Supervised(Objective):
    """The empirical risk of a batch.

    Args:
        loss: maps (logits, targets) to a scalar; its ``reduction``, where it has one, must be "mean".

    Raises:
        ValueError: the loss returns one value per example.
    """

    def __init__(self, loss: nn.Module) -> None:
        reduction = getattr(loss, "reduction", "mean")
        if reduction != "mean":
            raise ValueError(f"a training loss must have reduction 'mean', got {reduction!r}")
        self.loss = loss

    def __call__(self, model: nn.Module, batch: Batch, *, rng: SampleKeys, step: int) -> Loss:
        """Returns the loss of ``batch``, and its logits; ``rng`` and ``step`` are for objectives that draw."""
        logits = model(batch.inputs)
        return Loss(self.loss(logits, batch.targets), logits)
