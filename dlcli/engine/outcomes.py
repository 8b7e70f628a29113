"""What an attack did to each example of a split, and what that cost; adversarial inputs are not kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed, predicted_classes
from dlcli.contracts import Attack, Split
from dlcli.engine.perturb import perturb


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcomes:
    """What one attack did, on the CPU.

    Args:
        rows: positions in the split of those that it was tried on, int64 (M,).
        predicted: their predicted class after it, int64 (M,).
        distances: size of their change in the threat's norm, float32 (M,).
        forwards, backwards: passes of one example.
        seconds: that it took.
    """

    rows: Tensor
    predicted: Tensor
    distances: Tensor
    forwards: int
    backwards: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Clean:
    """A split without an attack.

    Args:
        targets, predicted: true and predicted class, int64 (N,), on the CPU.
        digest: of the inputs and targets, hexadecimal.
    """

    targets: Tensor
    predicted: Tensor
    digest: str

    @property
    def right(self) -> Tensor:
        """Which examples are classified correctly, bool (N,)."""
        return self.predicted == self.targets


def clean_outcomes(model: nn.Module, split: Split, *, batch_size: int, check: Callable[[], None] = lambda: None) -> Clean:
    """Returns what a model says of the unchanged examples of a split."""
    targets, predicted, digest = [], [], hashlib.sha256()
    with borrowed(model), torch.no_grad():
        for batch in split.batches(torch.arange(len(split)), batch_size):
            check()
            digest.update(batch.inputs.cpu().contiguous().numpy().tobytes())
            targets.append(batch.targets.cpu())
            predicted.append(predicted_classes(model(batch.inputs)).cpu())
    digest.update(torch.cat(targets).numpy().tobytes())
    return Clean(torch.cat(targets), torch.cat(predicted), digest.hexdigest())


def outcomes(
    model: nn.Module,
    attack: Attack,
    split: Split,
    rows: Tensor,
    clean: Clean,
    *,
    batch_size: int,
    seed: int,
    spare_misclassified: bool = True,
    check: Callable[[], None] = lambda: None,
    done: Callable[[int], None] = lambda _count: None,
) -> Outcomes:
    """Runs an attack on the examples at ``rows``, int64 (M,), of a split.

    Args:
        clean: of the whole split.
        check: called before every forward pass; may raise to stop (a signal, a time limit).
        done: told after each batch how many examples are behind it.
    """
    started = time.perf_counter()
    predicted, distances, forwards, backwards = [clean.predicted[:0]], [torch.zeros(0)], 0, 0
    part = split.select(rows)
    with polled(model, check):
        for report in perturb(
            model,
            attack,
            part,
            batch_size=batch_size,
            seed=seed,
            spare_misclassified=spare_misclassified,
            clean=clean.predicted[rows],
        ):
            predicted.append(report.attacked)
            distances.append(report.distances)
            forwards, backwards = forwards + report.forwards, backwards + report.backwards
            done(sum(map(len, predicted)))
    return Outcomes(
        rows=rows,
        predicted=torch.cat(predicted),
        distances=torch.cat(distances),
        forwards=forwards,
        backwards=backwards,
        seconds=time.perf_counter() - started,
    )


@contextmanager
def polled(model: nn.Module, check: Callable[[], None]) -> Iterator[None]:
    """Calls ``check`` before every forward pass: an attack on a large batch takes minutes, and a signal must not wait so long."""
    handle = model.register_forward_pre_hook(lambda _module, _inputs: check())
    try:
        yield
    finally:
        handle.remove()
