"""What goes into a network's head: features of a whole split, computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.contracts import Split

_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Features:
    """The inputs of a head, in a split's order, on the model's device.

    Args:
        inputs: float32 (N, D).
        targets, index: of the split, int64 (N,).
    """

    inputs: Tensor
    targets: Tensor
    index: Tensor


def features_of(
    model: nn.Module, head: nn.Module, split: Split, *, batch_size: int, tell: Callable[[int], None] = lambda done: None
) -> Features:
    """Returns what ``head``, a layer inside ``model``, receives for every example, in evaluation mode.

    Args:
        tell: called after each batch with the number of examples done; may raise to stop (a signal).

    Raises:
        ValueError: the model's logits are not what ``head`` makes of (N, D) features, so they cannot stand for the examples.
    """
    received: list[Tensor] = []
    found: list[Tensor] = []
    targets: list[Tensor] = []
    index: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _module, inputs: received.append(inputs[0]))
    try:
        with borrowed(model):
            for batch in split.batches(torch.arange(len(split)), batch_size):
                received.clear()
                # Entered per batch: ``tell`` is the caller's code.
                with torch.inference_mode():
                    logits = model(batch.inputs)
                    if not found:
                        _check(head, received, logits)
                found.append(received[-1].float().clone())
                targets.append(batch.targets)
                index.append(batch.index)
                tell(sum(map(len, targets)))
    finally:
        handle.remove()
    return Features(torch.cat(found), torch.cat(targets), torch.cat(index))


def _check(head: nn.Module, received: list[Tensor], logits: Tensor) -> None:
    if len(received) == 1 and received[0].ndim == 2:
        again = head(received[0])
        if again.shape == logits.shape and torch.allclose(again, logits, rtol=_TOLERANCE, atol=_TOLERANCE):
            return
    raise ValueError(f"the network's logits are not what its last layer, {type(head).__name__}, makes of one row of features")
