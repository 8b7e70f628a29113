"""Focal loss: examples that are already right count less, so rare and hard ones are learned."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.classifier import class_logits
from dlcli.losses.weights import class_weight_tensor


class Focal(nn.Module):
    """-Σ_c q_c α_c (1 - p_c)^γ log p_c, in nats (Lin et al. 2017, "Focal loss for dense object detection", equations 4 and 5).

    For a class number t this is the paper's -α_t (1 - p_t)^γ log p_t. The paper asks each class against the rest; here p is
    the softmax, which for one binary logit (K = 1) is the paper's sigmoid. With γ = 0 and no α it is cross-entropy.
    Focal loss is not a proper score: its smallest value does not lie at the true probabilities, so calibrate after it.

    Args:
        gamma: γ >= 0, the focus; an example with p_t = 0.9 counts (1 - 0.9)^γ of what it does in cross-entropy.
        alpha: how much each class counts: "none", "balanced" (N / (P · n_c) of the training data), a number in (0, 1) for two
            classes (the paper's α: of class 1, and 1 - α of class 0), or one positive number per class.
        class_counts: training examples per class, int64 (P,); needed for "balanced".
        reduction: "mean" over examples (α does not enter the divisor, as in the paper), or "none" (one value per example, (N,)).

    Raises:
        ValueError: a value out of its range, or not one alpha per class.
    """

    alpha: Tensor | None

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        alpha: Literal["none", "balanced"] | float | list[float] = "none",
        class_counts: Tensor | None = None,
        reduction: Literal["mean", "none"] = "mean",
    ) -> None:
        super().__init__()
        if not 0.0 <= gamma < math.inf:
            raise ValueError(f"gamma must be 0 or more and finite, got {gamma}")
        if reduction not in {"mean", "none"}:
            raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
        if isinstance(alpha, float | int):
            if not 0.0 < alpha < 1.0:
                raise ValueError(f"alpha must be in (0, 1) where it is one number, got {alpha}")
            alpha = [1.0 - alpha, float(alpha)]
        self.gamma = gamma
        self.reduction = reduction
        self.register_buffer("alpha", class_weight_tensor(alpha, class_counts, key="alpha"), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss of logits (N, K) for class numbers int64 (N,) or soft targets (N, P)."""
        log_p = class_logits(logits).log_softmax(dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))
        costs = -log_p
        if self.gamma:
            # 1 - p without cancellation. A surely right example has p = 1 exactly; the slope of 0^γ is infinite for γ < 1.
            wrong = -torch.expm1(log_p)
            costs = costs * wrong.clamp(min=torch.finfo(wrong.dtype).tiny) ** self.gamma
        if self.alpha is not None:
            costs = costs * self.alpha
        each = costs.gather(1, targets[:, None]).flatten() if targets.ndim == 1 else (targets * costs).sum(dim=1)
        return each.mean() if self.reduction == "mean" else each
