"""Squared error between probabilities and one-hot targets: the Brier score as a loss."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dlcli.classifier import probabilities
from dlcli.losses.weights import class_weight_tensor, reduced


class MeanSquaredError(nn.Module):
    """Σ_c (p_c - q_c)² in [0, 2], the Brier score (Brier 1950, "Verification of forecasts expressed in terms of probability").

    Bounded, so wrong labels pull less than under cross-entropy; gradients vanish where the model is surely wrong.
    Brier's own scale: it sums over classes, so two classes give twice the (p - y)² that some libraries report.

    Args:
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
        class_weights: Literal["none", "balanced"] | list[float] = "none",
        class_counts: Tensor | None = None,
        reduction: Literal["mean", "none"] = "mean",
    ) -> None:
        super().__init__()
        if reduction not in {"mean", "none"}:
            raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
        self.reduction = reduction
        weight = class_weight_tensor(class_weights, class_counts, key="class_weights")
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss of logits (N, K) for class numbers int64 (N,) or soft targets (N, P)."""
        predicted = probabilities(logits)
        wanted = nn.functional.one_hot(targets, predicted.shape[1]) if targets.ndim == 1 else targets
        each = (predicted - wanted).square().sum(dim=1)
        return reduced(each, targets, weight=self.weight, reduction=self.reduction)
