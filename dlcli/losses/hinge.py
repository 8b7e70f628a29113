"""Hinge loss: right by a margin is right enough; a linear network becomes a support vector machine."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

from dlcli.errors import UsageError
from dlcli.losses.weights import class_weight_tensor, reduced


class Hinge(nn.Module):
    """max(0, margin - lead), where the lead is how far the true class is before the best other one.

    With one logit z (K = 1) the lead is (2y - 1) z (Cortes and Vapnik 1995, "Support-vector networks"); with K > 1 it is
    z_t - max_{c≠t} z_c (Crammer and Singer 2001, "On the algorithmic implementation of multiclass kernel-based vector
    machines"). Logits then have no meaning as probabilities.

    Args:
        margin: > 0; only its ratio to the size of the weights matters.
        class_weights: how much each example counts, by its class: "none", "balanced" (N / (P · n_c)), or one positive number per
            class.
        class_counts: training examples per class, int64 (P,); needed for "balanced".
        reduction: "mean" over examples, weighted as in cross-entropy, or "none" (one value per example, (N,)).

    Raises:
        ValueError: a value out of its range, or a list whose length is not the number of classes.
    """

    weight: Tensor | None

    def __init__(
        self,
        *,
        margin: float = 1.0,
        class_weights: Literal["none", "balanced"] | list[float] = "none",
        class_counts: Tensor | None = None,
        reduction: Literal["mean", "none"] = "mean",
    ) -> None:
        super().__init__()
        if not 0.0 < margin < math.inf:
            raise ValueError(f"margin must be positive and finite, got {margin}")
        if reduction not in {"mean", "none"}:
            raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
        self.margin = margin
        self.reduction = reduction
        weight = class_weight_tensor(class_weights, class_counts, key="class_weights")
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss of logits (N, K) for class numbers int64 (N,). Raises UsageError for soft targets."""
        if targets.ndim != 1:
            raise UsageError("loss=hinge needs one class per example, not shares of classes", hint="loss=cross_entropy")
        if logits.shape[1] == 1:
            lead = (2 * targets - 1) * logits[:, 0]
        else:
            own = targets[:, None]
            others = logits.scatter(1, own, -math.inf)
            lead = logits.gather(1, own)[:, 0] - others.amax(dim=1)
        return reduced((self.margin - lead).clamp(min=0), targets, weight=self.weight, reduction=self.reduction)
