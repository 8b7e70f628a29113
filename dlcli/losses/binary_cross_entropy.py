"""Binary cross-entropy: one logit, or one yes-or-no question per class."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn


class BinaryCrossEntropy(nn.Module):
    """Negative log-likelihood of the sigmoid, in nats.

    With one logit (K = 1) the targets are 0 or 1. With K > 1 every class is asked against the rest, on one-hot
    targets, and the mean over classes is taken (Wightman et al. 2021, "ResNet strikes back", §3.1).

    Args:
        reduction: "mean" over examples, or "none" (one value per example, (N,)).
    """

    def __init__(self, *, reduction: Literal["mean", "none"] = "mean") -> None:
        super().__init__()
        if reduction not in {"mean", "none"}:
            raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
        self.reduction = reduction

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss of logits (N, K) for class numbers int64 (N,) or soft targets (N, P)."""
        each = nn.functional.binary_cross_entropy_with_logits(logits, _yes_or_no(logits, targets), reduction="none").mean(dim=1)
        return each.mean() if self.reduction == "mean" else each


def _yes_or_no(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns the targets in the shape and type of ``logits``: the probability of "yes" for each output."""
    if logits.shape[1] == 1:
        positive = targets if targets.ndim == 1 else targets[:, 1]
        return positive[:, None].to(logits.dtype)
    one_hot = nn.functional.one_hot(targets, logits.shape[1]) if targets.ndim == 1 else targets
    return one_hot.to(logits.dtype)
