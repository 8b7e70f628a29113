"""Rosenblatt's criterion: only mistakes count, and each one pulls the same way."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.errors import UsageError


class Perceptron(nn.Module):
    """Σ over the mistakes of -(2y - 1) z, for one logit z; a mistake is [z > 0] ≠ y, so z = 0 is one where y = 1.

    With K > 1 logits a mistake costs z_c - z_t, where c is the class that answers and t the true one (Collins 2002,
    "Discriminative training methods for hidden Markov models").

    Its gradient by w is -(2y - 1) x for each mistake and zero elsewhere. Plain SGD with learning rate 1 on one example at a time
    is therefore Rosenblatt's rule (Rosenblatt 1958, "The perceptron"): w += x where a 1 was missed, w -= x where a 0 was taken
    for a 1. It stops making mistakes on data that a line separates after at most (R / γ)² of them, R the largest norm of an
    example and γ its margin (Novikoff 1962, "On convergence proofs for perceptrons"), and never does on others.

    Args:
        reduction: "mean" over all examples, or "none" (one value per example, (N,)).
    """

    def __init__(self, *, reduction: Literal["mean", "none"] = "mean") -> None:
        super().__init__()
        if reduction not in {"mean", "none"}:
            raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
        self.reduction = reduction

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss of logits (N, K) for class numbers int64 (N,). Raises UsageError for soft targets."""
        if targets.ndim != 1:
            raise UsageError("loss=perceptron needs one class per example, not shares of classes", hint="augment=none")
        if logits.shape[1] == 1:
            z = logits[:, 0]
            mistake = (z > 0) != (targets == 1)
            each = torch.where(mistake, (1 - 2 * targets) * z, torch.zeros_like(z))
        else:
            pair = torch.stack([logits.argmax(dim=1), targets], dim=1)
            answered, true = logits.gather(1, pair).unbind(dim=1)
            each = answered - true
        return each.mean() if self.reduction == "mean" else each
