"""Forward passes over a split: logits of every example, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from dlcli.classifier import borrowed
from dlcli.contracts import Predictions, Split


def evaluate(
    model: nn.Module, split: Split, *, batch_size: int, check: Callable[[], None] = lambda: None
) -> Iterator[Predictions]:
    """Yields the predictions of one batch after the other, on the CPU, in the split's order.

    Args:
        model: raw inputs (N, …) → logits (N, K); its mode is given back.
        check: called before each batch; may raise to stop (a signal).
    """
    order = torch.arange(len(split))
    with borrowed(model):
        for batch in split.batches(order, batch_size):
            check()
            # Entered per batch: a suspended generator must not leave its caller in inference mode.
            with torch.inference_mode():
                logits = model(batch.inputs)
            yield Predictions(logits.float().cpu().clone(), batch.targets.cpu(), batch.index.cpu())


def joined(parts: Iterator[Predictions]) -> Predictions:
    """Returns all parts as one. Raises ValueError where there are none."""
    collected = list(parts)
    if not collected:
        raise ValueError("no predictions: the split is empty")
    return Predictions(
        torch.cat([part.logits for part in collected]),
        torch.cat([part.targets for part in collected]),
        torch.cat([part.index for part in collected]),
    )
