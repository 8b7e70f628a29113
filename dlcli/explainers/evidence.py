"""The points that gradients act on, the class logits there, and the way from attributions back to a map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.explainers.layers import uncompiled
from dlcli.explainers.logits import target_logits
from dlcli.randomness import borrowed_rng

Baseline = Literal["mean", "zero"]
BASELINES = ("mean", "zero")


@contextmanager
def lent(model: nn.Module) -> Iterator[None]:
    """Lends a model to an explainer: evaluation mode, no parameter gradients, nothing compiled, no inference mode."""
    with borrowed(model), borrowed_rng(), uncompiled(model), torch.inference_mode(False):
        yield


def check_baseline(baseline: str) -> None:
    """Raises ValueError unless ``baseline`` is known."""
    if baseline not in BASELINES:
        raise ValueError(f"baseline must be one of {', '.join(BASELINES)}, got '{baseline}'")


def absent(model: nn.Module, inputs: Tensor, baseline: Baseline = "mean") -> Tensor:
    """Returns inputs that say nothing, in the shape and the dtype of ``inputs``.

    Images, "mean": the data's mean colour where the model knows it (a Classifier), else the example's own mean colour;
    "zero": black. Tables, "mean": every cell missing where the model imputes (a Classifier: numbers become train's means,
    categories the unknown one), else 0; "zero": 0, for a category the code of an unknown one.
    """
    spec = getattr(model, "spec", None)
    if baseline == "zero":
        return torch.zeros_like(inputs)
    if inputs.ndim == 2:
        return torch.full_like(inputs, torch.nan if spec is not None else 0.0)
    if spec is not None and len(spec.mean) == inputs.shape[1]:
        return inputs.new_tensor(spec.mean).reshape(1, -1, 1, 1).expand_as(inputs).clone()
    return inputs.float().mean(dim=(2, 3), keepdim=True).to(inputs.dtype).expand_as(inputs).clone()


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """Examples as points of a space in which straight lines and gradients mean something.

    Images and plain tables are their own points. Of a table whose categories become vectors (the model holds one module with
    ``column_slices``) the points are the features (N, E): standardised numbers and the vectors; codes have no gradient.

    Args:
        model: lent for as long as this lives; see :func:`lent`.
        inputs: (N, C, H, W) or (N, D).
        targets: class numbers, int64 (N,).
        encoder: the module with ``column_slices``; None where points are inputs.
    """

    model: nn.Module
    inputs: Tensor
    targets: Tensor
    encoder: nn.Module | None

    @classmethod
    def of(cls, model: nn.Module, inputs: Tensor, targets: Tensor) -> Evidence:
        """Looks at examples. Raises ValueError: not one class per example."""
        if targets.shape != inputs.shape[:1]:
            raise ValueError(f"targets must hold one class per example, shape ({len(inputs)},), got {tuple(targets.shape)}")
        encoders = [part for part in model.modules() if hasattr(part, "column_slices")] if inputs.ndim == 2 else []
        # Copies, as neither the caller's gradients nor inference mode may matter.
        return cls(
            model=model,
            inputs=inputs.detach().clone(),
            targets=targets.clone(),
            encoder=encoders[0] if len(encoders) == 1 else None,
        )

    def points(self, inputs: Tensor) -> Tensor:
        """Returns the points of ``inputs``, (N, C, H, W), (N, D) or (N, E)."""
        if self.encoder is None:
            return inputs
        seen: list[Tensor] = []
        # The features are copied, as what follows may work in place.
        handle = self.encoder.register_forward_hook(lambda module, arguments, output: seen.append(output.detach().clone()))
        try:
            with torch.no_grad():
                self.model(inputs)
        finally:
            handle.remove()
        return seen[0]

    def logits(self, points: Tensor, rows: Tensor) -> Tensor:
        """Returns the logits of the classes at ``points`` (M, …), of the examples ``rows``, int64 (M,); float32 (M,)."""
        # A layer that works in place may not write into a leaf, hence the copies.
        if self.encoder is None:
            return target_logits(self.model(points.clone()), self.targets[rows]).float()
        handle = self.encoder.register_forward_hook(lambda module, arguments, output: points.clone())
        try:
            return target_logits(self.model(self.inputs[rows]), self.targets[rows]).float()
        finally:
            handle.remove()

    def values(self, points: Tensor, rows: Tensor) -> Tensor:
        """Returns :meth:`logits` without a graph."""
        with torch.no_grad():
            return self.logits(points, rows)

    def gradients(self, points: Tensor, rows: Tensor) -> Tensor:
        """Returns the gradients of :meth:`logits` with respect to ``points``, float32 (M, …); zero where there is none."""
        with torch.enable_grad():
            leaf = points.detach().clone().requires_grad_()
            wanted = self.logits(leaf, rows).sum()
            if not wanted.requires_grad:
                return torch.zeros_like(leaf, dtype=torch.float32)
            return torch.autograd.grad(wanted, leaf, materialize_grads=True)[0].float()

    def maps(self, attributions: Tensor) -> Tensor:
        """Returns the attributions of points summed over an image's channels or a column's features, (N, H, W) or (N, D)."""
        if attributions.ndim == 4:
            return attributions.sum(dim=1)
        if self.encoder is None:
            return attributions
        slices: tuple[slice, ...] = self.encoder.column_slices  # type: ignore[assignment]
        return torch.stack([attributions[:, place].sum(dim=1) for place in slices], dim=1)

    @property
    def rows(self) -> Tensor:
        """All examples, int64 (N,)."""
        return torch.arange(len(self.inputs), device=self.inputs.device)


def blocks(total: int, examples: int, at_once: int) -> Iterator[range]:
    """Yields the steps 0 … ``total`` - 1 in blocks, so that a block of ``examples`` is about ``at_once`` forward passes."""
    size = max(1, at_once // max(1, examples))
    for start in range(0, total, size):
        yield range(start, min(start + size, total))


def check_positive(**counts: float) -> None:
    """Raises ValueError unless each count is at least 1."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")
