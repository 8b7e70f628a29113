"""Cross-entropy, with label smoothing and class weights."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dlcli.classifier import class_logits
from dlcli.losses.weights import class_weight_tensor


class CrossEntropy(nn.Module):
    """Negative log-likelihood of the softmax, -Σ_c w_c q_c log p_c, in nats.

    One binary logit (K = 1) counts as two classes, by :func:`dlcli.classifier.class_logits`.

    Args:
        label_smoothing: in [0, 1); the share of each target spread evenly over all classes (Szegedy et al. 2016,
            "Rethinking the Inception architecture", §7).
        class_weights: "none", "balanced" (N / (P · n_c), as in scikit-learn), or one positive number per class.
        class_counts: training examples per class, int64 (P,); needed for "balanced".
        reduction: "mean" (for class numbers divided by the sum of the examples' weights, as
            ``torch.nn.CrossEntropyLoss`` does) or "none" (one value per example, (N,)).

    Raises:
        ValueError: a value out of its range, or a list whose length is not the number of classes.
    """

    weight: Tensor | None

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        class_weights: Literal["none", "balanced"] | list[float] = "none",
        class_counts: Tensor | None = None,
        reduction: Literal["mean", "none"] = "mean",
    ) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must be in [0, 1), got {label_smoothing}")
        if reduction not in {"mean", "none"}:
            raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
        self.label_smoothing = label_smoothing
        self.reduction = reduction
        weight = class_weight_tensor(class_weights, class_counts, key="class_weights")
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss of logits (N, K) for class numbers int64 (N,) or soft targets (N, P)."""
        return nn.functional.cross_entropy(
            class_logits(logits),
            targets,
            weight=self.weight,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )
