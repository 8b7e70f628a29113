"""The examples that an attack is given, and those of them that still stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dlcli.attacks.balls import check_box
from dlcli.classifier import borrowed
from dlcli.contracts import keys_or_default
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys, borrowed_rng

NOT_FINITE = "the model's outputs under attack are not finite numbers"


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Examples under attack, in rows that belong together.

    Args:
        inputs: (N, ...) in raw units, unchanged.
        targets: true classes, int64 (N,).
        goals: classes that they are to be taken for, int64 (N,); None where any error counts.
        rivals: classes that a loss pushes towards while any error counts, int64 (N,); None for other losses.
        keys: their random numbers.
    """

    inputs: Tensor
    targets: Tensor
    goals: Tensor | None
    keys: SampleKeys
    rivals: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Tensor | None) -> Examples:
        """Returns the examples at positions ``rows``, int64; None is all of them."""
        if rows is None:
            return self
        goals, rivals = (None if classes is None else classes[rows] for classes in (self.goals, self.rivals))
        return Examples(
            inputs=self.inputs[rows], targets=self.targets[rows], goals=goals, rivals=rivals, keys=self.keys.take(rows)
        )

    def against(self, rivals: Tensor) -> Examples:
        """Returns the same examples with these rival classes, int64 (N,)."""
        return replace(self, rivals=rivals)

    def fooled(self, logits: Tensor) -> Tensor:
        """Returns which examples are wrong at these logits, (N, P), or, with goals, taken for their goal: bool (N,)."""
        predicted = logits.argmax(dim=1)
        return predicted != self.targets if self.goals is None else predicted == self.goals


@contextmanager
def lent(
    model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None, goals: Tensor | None
) -> Iterator[Examples]:
    """Lends a model to an attack and gives copies of what it attacks; all of it works under any grad or inference mode.

    Raises:
        ValueError: images outside [0, 1], or another number of classes than of examples.
    """
    for name, classes in (("targets", targets), ("goals", goals)):
        if classes is not None and classes.shape != inputs.shape[:1]:
            raise ValueError(f"{name} must hold one class for each of {len(inputs)} examples, got {tuple(classes.shape)}")
    check_box(inputs)
    with torch.inference_mode(False), torch.no_grad(), borrowed(model), borrowed_rng():
        yield Examples(
            inputs=inputs.detach().clone(),
            targets=targets.clone(),
            goals=None if goals is None else goals.clone(),
            keys=keys_or_default(rng, inputs),
        )


def taken(rows: Tensor | None, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Returns the tensors at positions ``rows``, int64; None is all of them."""
    return tensors if rows is None else tuple(tensor[rows] for tensor in tensors)


def put(points: Tensor, into: Tensor, where: Tensor) -> None:
    """Writes those rows of finite ``points`` that ``where``, bool (n,), says into the same rows of ``into``."""
    # With weights 0 and 1 this is exact; it takes half the time of a choice by mask or by row numbers, and waits for no device.
    into.lerp_(points, where.to(into.dtype).reshape(-1, *[1] * (points.ndim - 1)))


class Standing:
    """Which examples still stand, and the best that was found for each: what fooled the model, else the highest loss.

    Examples that are fooled leave at once and keep what fooled them; work goes on with ``rows`` only.
    """

    def __init__(self, examples: Examples) -> None:
        self._found = examples.inputs.clone()
        self._best = examples.inputs.clone()
        self._values = torch.full((len(examples),), -torch.inf, device=examples.inputs.device)
        self.rows = torch.arange(len(examples), device=examples.inputs.device)

    def offer(self, points: Tensor, values: Tensor, fooled: Tensor) -> Tensor | None:
        """Takes note of points for the examples at ``rows``.

        Args:
            points: (n, ...), one for each row.
            values: their loss, (n,), comparable between calls.
            fooled: which of them end the search for their example, bool (n,).

        Returns:
            Positions in ``rows`` of those that stay, int64; None where all do.

        Raises:
            ComputeError: a loss that is not finite, so neither are the logits.
        """
        better = fooled | (values > self._values)
        put(points, self._best, better)
        self._values = torch.where(better, values, self._values)
        # One synchronisation for both questions.
        some_fooled, some_wild = torch.stack([fooled.any(), ~values.isfinite().all()]).tolist()
        if some_wild:
            raise ComputeError(NOT_FINITE)
        if not some_fooled:
            return None
        self._found[self.rows[fooled]] = self._best[fooled]
        keep = (~fooled).nonzero().flatten()
        self._best, self._values, self.rows = self._best[keep], self._values[keep], self.rows[keep]
        return keep

    @property
    def points(self) -> Tensor:
        """The best that was found for each of ``rows``, (n, ...)."""
        return self._best

    def result(self) -> Tensor:
        """Returns the best of every example, in the order in which they came."""
        self._found[self.rows] = self._best
        return self._found
