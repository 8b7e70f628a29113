"""The number that a map explains."""

from __future__ import annotations

from torch import Tensor


def target_logits(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns the logit of each example's class, (N,), before any softmax.

    One binary logit z speaks for class 1; class 0 has -z.

    Args:
        logits: (N, K).
        targets: class numbers, int64 (N,).

    Raises:
        ValueError: not one class per example.
    """
    if targets.shape != logits.shape[:1]:
        raise ValueError(f"targets must hold one class per example, shape ({len(logits)},), got {tuple(targets.shape)}")
    if logits.shape[1] == 1:
        return logits[:, 0] * (2 * targets - 1)
    return logits.gather(1, targets[:, None])[:, 0]
