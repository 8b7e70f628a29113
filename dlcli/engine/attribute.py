"""Running an explainer over a split: maps for the predicted classes, checked for shape and finiteness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed, probabilities
from dlcli.contracts import Explainer, Split
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys, borrowed_rng


@dataclass(frozen=True)
class ExplainReport:
    """One explained batch, on the CPU.

    Args:
        inputs: float32 (N, …), raw units.
        maps: float32 (N, H, W) at input size or (N, D), raw and signed.
        targets, predicted: true and predicted (explained) class, int64 (N,).
        confidence: probability of the predicted class, float32 (N,).
        index: positions in the split, int64 (N,).
    """

    inputs: Tensor
    maps: Tensor
    targets: Tensor
    predicted: Tensor
    confidence: Tensor
    index: Tensor


def attribute(
    model: nn.Module,
    explainer: Explainer,
    split: Split,
    *,
    batch_size: int,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> Iterator[ExplainReport]:
    """Yields one report per batch; each map explains the class that the model predicts. Raises ComputeError."""
    for batch in split.batches(torch.arange(len(split)), batch_size):
        check()
        with borrowed(model), borrowed_rng():
            with torch.no_grad():
                chances = probabilities(model(batch.inputs))
            confidence, predicted = chances.max(dim=1)
            maps = explainer(model, batch.inputs, predicted, rng=SampleKeys(seed, batch.index)).detach()
        wanted = (len(batch.inputs), *batch.inputs.shape[-2:]) if batch.inputs.ndim == 4 else tuple(batch.inputs.shape)
        if tuple(maps.shape) != wanted or not torch.isfinite(maps).all():
            raise ComputeError(
                f"the explainer returned maps of shape {tuple(maps.shape)} or not finite; expected finite {wanted}"
            )
        tensors = (batch.inputs, maps.float(), batch.targets, predicted, confidence, batch.index)
        yield ExplainReport(*(tensor.cpu() for tensor in tensors))
