"""Running an explainer over a split: maps for chosen classes, checked for shape and finiteness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed, probabilities
from dlcli.contracts import Explainer, Split
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys, borrowed_rng

# Class chances (N, P) and true classes (N,) to the classes that maps are for, int64 (N,).
Explained = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class ExplainReport:
    """Explained examples, on the CPU.

    Args:
        inputs: float32 (N, …), raw units.
        maps: float32 (N, H, W) at input size or (N, D), raw and signed.
        targets, predicted, explained: true and predicted class, and the one that the map is for, int64 (N,).
        confidence: probability of the explained class, float32 (N,).
        index: positions in the split, int64 (N,).
    """

    inputs: Tensor
    maps: Tensor
    targets: Tensor
    predicted: Tensor
    explained: Tensor
    confidence: Tensor
    index: Tensor

    @property
    def empty(self) -> Tensor:
        """Which maps are zero everywhere, bool (N,)."""
        return self.maps.flatten(1).abs().amax(dim=1) == 0


def attribute(
    model: nn.Module,
    explainer: Explainer,
    split: Split,
    *,
    batch_size: int,
    seed: int,
    explained: Explained = lambda chances, _targets: chances.argmax(dim=1),
    check: Callable[[], None] = lambda: None,
) -> Iterator[ExplainReport]:
    """Yields one report per batch; each map is for the class that ``explained`` says, else the predicted. Raises ComputeError."""
    for batch in split.batches(torch.arange(len(split)), batch_size):
        check()
        with borrowed(model), borrowed_rng():
            with torch.no_grad():
                chances = probabilities(model(batch.inputs))
            predicted, wanted = chances.argmax(dim=1), explained(chances, batch.targets)
            maps = explainer(model, batch.inputs, wanted, rng=SampleKeys(seed, batch.index)).detach()
        shape = (len(batch.inputs), *batch.inputs.shape[-2:]) if batch.inputs.ndim == 4 else tuple(batch.inputs.shape)
        if tuple(maps.shape) != shape or not torch.isfinite(maps).all():
            raise ComputeError(f"the explainer returned maps of shape {tuple(maps.shape)} or not finite; expected finite {shape}")
        confidence = chances.gather(1, wanted[:, None])[:, 0]
        tensors = (batch.inputs, maps.float(), batch.targets, predicted, wanted, confidence, batch.index)
        yield ExplainReport(*(tensor.cpu() for tensor in tensors))
