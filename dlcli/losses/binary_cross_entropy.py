"""Binary cross-entropy: one logit, or one yes-or-no question per class."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dlcli.losses.weights import class_weight_tensor, positive_weight_tensor, reduced


class BinaryCrossEntropy(nn.Module):
    """Negative log-likelihood of the sigmoid, -[w q log p + (1 - q) log(1 - p)], in nats; w is ``pos_weight``.

    With one logit (K = 1) the targets are 0 or 1. With K > 1 every class is asked against the rest, on one-hot
    targets, and the mean over classes is taken (Wightman et al. 2021, "ResNet strikes back", §3.1).

    Args:
        pos_weight: how much a "yes" counts beside a "no" (as in ``torch.nn.BCEWithLogitsLoss``): "none", "balanced"
            (n_no / n_yes of the training data), or a positive number. The mean stays one over the examples.
        class_weights: how much each example counts, by its class: "none", "balanced" (N / (P · n_c), as in
            :class:`~dlcli.losses.cross_entropy.CrossEntropy`), or one positive number per class. An example whose target is
            shared between classes counts as their mean, by its shares.
        class_counts: training examples per class, int64 (P,); needed for "balanced".
        reduction: "mean" over examples (with ``class_weights`` and class numbers divided by the sum of the examples' weights,
            as in cross-entropy), or "none" (one value per example, (N,)).

    Raises:
        ValueError: a value out of its range, or a list whose length is not the number of classes.
    """

    pos_weight: Tensor | None
    weight: Tensor | None

    def __init__(
        self,
        *,
        pos_weight: Literal["none", "balanced"] | float = "none",
        class_weights: Literal["none", "balanced"] | list[float] = "none",
        class_counts: Tensor | None = None,
        reduction: Literal["mean", "none"] = "mean",
    ) -> None:
        super().__init__()
        if reduction not in {"mean", "none"}:
            raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
        self.reduction = reduction
        self.register_buffer("pos_weight", positive_weight_tensor(pos_weight, class_counts), persistent=False)
        weight = class_weight_tensor(class_weights, class_counts, key="class_weights")
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss of logits (N, K) for class numbers int64 (N,) or soft targets (N, P)."""
        pos_weight = self.pos_weight
        if pos_weight is not None and logits.shape[1] == 1:
            pos_weight = pos_weight[-1:]  # of two classes the second one is "yes"
        yes = _yes_or_no(logits, targets)
        answers = nn.functional.binary_cross_entropy_with_logits(logits, yes, pos_weight=pos_weight, reduction="none")
        return reduced(answers.mean(dim=1), targets, weight=self.weight, reduction=self.reduction)


def _yes_or_no(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns the targets in the shape and type of ``logits``: the probability of "yes" for each output."""
    if logits.shape[1] == 1:
        positive = targets if targets.ndim == 1 else targets[:, 1]
        return positive[:, None].to(logits.dtype)
    one_hot = nn.functional.one_hot(targets, logits.shape[1]) if targets.ndim == 1 else targets
    return one_hot.to(logits.dtype)
