"""Running an attack over a split: the attack proposes, the engine checks, counts and scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed, predicted_classes
from dlcli.contracts import Attack, Split, Threat
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys, borrowed_rng

TOLERANCE = 1e-6


@dataclass(frozen=True)
class AttackReport:
    """One attacked batch, on the CPU.

    Args:
        inputs, adversarial: float32 (N, …), raw units.
        targets, clean, attacked: true class, and predicted class before and after, int64 (N,).
        distances: size of the change in the threat's norm, float32 (N,).
        index: positions in the split, int64 (N,).
        forwards, backwards: passes that this batch cost, counted per example.
    """

    inputs: Tensor
    adversarial: Tensor
    targets: Tensor
    clean: Tensor
    attacked: Tensor
    distances: Tensor
    index: Tensor
    forwards: int
    backwards: int


def perturb(
    model: nn.Module,
    attack: Attack,
    split: Split,
    *,
    batch_size: int,
    seed: int,
    spare_misclassified: bool = True,
    clean: Tensor | None = None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[AttackReport]:
    """Yields one report per batch.

    Args:
        spare_misclassified: examples that are misclassified already are not attacked and come back as they are; False for
            a null such as noise, which may also put an example right.
        clean: predicted classes of the unchanged examples, int64 (N,), in the split's order, where another attack has
            found them already; None asks the model.

    Raises:
        ValueError: ``clean`` is not as long as the split.
        ComputeError: the attack left the box or its ball, or returned non-finite numbers; nothing is repaired.
    """
    if clean is not None and len(clean) != len(split):
        raise ValueError(f"clean must hold one class for each of {len(split)} examples, got {len(clean)}")
    order = torch.arange(len(split))
    known = torch.split(clean, batch_size) if clean is not None else itertools.repeat(None)
    for batch, found in zip(split.batches(order, batch_size), known, strict=False):
        check()
        with borrowed(model), borrowed_rng(), _counted(model) as counter:
            before = _predictions(model, batch.inputs) if found is None else found.to(batch.targets.device)
            chosen = before == batch.targets if spare_misclassified else torch.ones_like(before, dtype=torch.bool)
            rows = chosen.nonzero().flatten()
            adversarial = batch.inputs.clone()
            if len(rows):
                adversarial[rows] = _attacked(
                    model, attack, batch.inputs[rows], batch.targets[rows], SampleKeys(seed, batch.index[rows])
                )
            distances = _distance(adversarial - batch.inputs, attack.threat.norm)
            _refuse_outside(batch.inputs, adversarial, distances, attack.threat)
            attacked = _predictions(model, adversarial)
        yield AttackReport(
            inputs=batch.inputs.cpu(),
            adversarial=adversarial.cpu(),
            targets=batch.targets.cpu(),
            clean=before.cpu(),
            attacked=attacked.cpu(),
            distances=distances.cpu(),
            index=batch.index.cpu(),
            forwards=counter.forwards,
            backwards=counter.backwards,
        )


@torch.no_grad()
def _predictions(model: nn.Module, inputs: Tensor) -> Tensor:
    return predicted_classes(model(inputs))


def _attacked(model: nn.Module, attack: Attack, inputs: Tensor, targets: Tensor, rng: SampleKeys) -> Tensor:
    adversarial = attack(model, inputs, targets, rng=rng).detach()
    if adversarial.shape != inputs.shape:
        raise ComputeError(f"the attack returned shape {tuple(adversarial.shape)}; expected {tuple(inputs.shape)}")
    return adversarial


@dataclass
class _Counter:
    forwards: int = 0
    backwards: int = 0


@contextmanager
def _counted(model: nn.Module) -> Iterator[_Counter]:
    """Counts examples through the model, forwards and backwards."""
    counter = _Counter()

    def forward_hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        counter.forwards += len(output)
        if output.requires_grad:
            output.register_hook(backward_hook)  # type: ignore[no-untyped-call]

    def backward_hook(gradient: Tensor) -> None:
        counter.backwards += len(gradient)

    handle = model.register_forward_hook(forward_hook)
    try:
        yield counter
    finally:
        handle.remove()


def _distance(change: Tensor, norm: str) -> Tensor:
    flat = change.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else flat.norm(dim=1)


def _refuse_outside(inputs: Tensor, adversarial: Tensor, distances: Tensor, threat: Threat) -> None:
    if not torch.isfinite(adversarial).all():
        raise ComputeError("the attack returned numbers that are not finite")
    if inputs.ndim == 4 and (adversarial.min() < -TOLERANCE or adversarial.max() > 1 + TOLERANCE):
        raise ComputeError(f"the attack left the box [0, 1]: [{float(adversarial.min()):.6f}, {float(adversarial.max()):.6f}]")
    if threat.epsilon is not None and len(distances) and distances.max() > threat.epsilon * (1 + TOLERANCE) + TOLERANCE:
        raise ComputeError(f"the attack left its {threat.norm} ball: {float(distances.max()):.6f} > {threat.epsilon}")
