"""Running an attack over a split: the attack proposes, the engine checks, counts and scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import ask, borrowed, class_logits
from dlcli.contracts import Attack, Batch, Split, Threat
from dlcli.errors import ComputeError, DataError
from dlcli.randomness import SampleKeys, borrowed_rng

TOLERANCE = 1e-6
# The class that each example is to be taken for, int64 (n,), from the attacked model's logits for the unchanged examples,
# (n, P), their true classes, int64 (n,), and their keys.
Goals = Callable[[Tensor, Tensor, SampleKeys], Tensor]


@dataclass(frozen=True)
class AttackReport:
    """One attacked batch, on the CPU.

    Args:
        inputs, adversarial: float32 (N, …), raw units.
        targets, clean, attacked: true class, and predicted class before and after, int64 (N,).
        distances: size of the change in the threat's norm, float32 (N,).
        index: positions in the split, int64 (N,).
        forwards, backwards: passes that this batch cost, counted per example.
        goals: the class that each example was to be taken for, int64 (N,); None where any error counts.
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
    goals: Tensor | None = None

    @property
    def eligible(self) -> Tensor:
        """Which examples the attack could succeed on: those that are right, and with goals of another class than their goal."""
        right = self.clean == self.targets
        return right if self.goals is None else right & (self.goals != self.targets)

    def succeeded(self, predicted: Tensor) -> Tensor:
        """Returns which of the eligible are wrong, or with goals taken for their goal, when ``predicted``, int64 (N,)."""
        return self.eligible & (predicted != self.targets if self.goals is None else predicted == self.goals)

    @property
    def success(self) -> Tensor:
        """Which examples the attack succeeded on, bool (N,)."""
        return self.succeeded(self.attacked)


def perturb(
    model: nn.Module,
    attack: Attack,
    split: Split,
    *,
    batch_size: int,
    seed: int,
    spare_misclassified: bool = True,
    clean: Tensor | None = None,
    goals: Goals | None = None,
    judge: nn.Module | None = None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[AttackReport]:
    """Yields one report per batch.

    Args:
        model: what the attack looks at.
        spare_misclassified: examples that are misclassified already are not attacked and come back as they are; False for
            a null such as noise, which may also put an example right.
        clean: predicted classes of the unchanged examples, int64 (N,), in the split's order, where another attack has
            found them already; None asks the model.
        goals: chooses the class that each example is to be taken for, and spares those that are of it already; None: any error.
        judge: the model whose predictions count, before and after; None is ``model`` itself.

    Raises:
        ValueError: ``clean`` is not as long as the split.
        DataError: images outside [0, 1], or a true class that the judge does not have.
        ComputeError: the attack left the box or its ball, or returned non-finite numbers, or a model did; nothing is repaired.
    """
    if clean is not None and len(clean) != len(split):
        raise ValueError(f"clean must hold one class for each of {len(split)} examples, got {len(clean)}")
    task = _Task(model, model if judge is None else judge, attack, goals, seed, spare_misclassified)
    order = torch.arange(len(split))
    known = torch.split(clean, batch_size) if clean is not None else itertools.repeat(None)
    for batch, found in zip(split.batches(order, batch_size), known, strict=False):
        check()
        _refuse_foreign_images(batch.inputs)
        yield task.report(batch, found)


@dataclass(frozen=True, eq=False)
class _Task:
    """What is done to every batch; names as in :func:`perturb`."""

    model: nn.Module
    judge: nn.Module
    attack: Attack
    goals: Goals | None
    seed: int
    spares: bool

    def report(self, batch: Batch, clean: Tensor | None) -> AttackReport:
        with ExitStack() as lending, borrowed_rng():
            counters = [lending.enter_context(_lent(each)) for each in dict.fromkeys((self.model, self.judge))]
            before = _judged(self.judge, batch) if clean is None else clean.to(batch.targets.device)
            keys = SampleKeys(self.seed, batch.index)
            goals = None
            if self.goals is not None:
                goals = self.goals(_logits(self.model, batch.inputs, batch.index), batch.targets, keys)
            adversarial = self._adversarial(batch, before, keys, goals)
            distances = _distance(adversarial - batch.inputs, self.attack.threat.norm)
            _refuse_outside(batch.inputs, adversarial, distances, self.attack.threat)
            attacked = _logits(self.judge, adversarial, batch.index).argmax(dim=1)
        return AttackReport(
            inputs=batch.inputs.cpu(),
            adversarial=adversarial.cpu(),
            targets=batch.targets.cpu(),
            clean=before.cpu(),
            attacked=attacked.cpu(),
            distances=distances.cpu(),
            index=batch.index.cpu(),
            forwards=sum(counter.forwards for counter in counters),
            backwards=sum(counter.backwards for counter in counters),
            goals=None if goals is None else goals.cpu(),
        )

    def _adversarial(self, batch: Batch, before: Tensor, keys: SampleKeys, goals: Tensor | None) -> Tensor:
        """The batch with those examples attacked that are to be."""
        chosen = before == batch.targets if self.spares else torch.ones_like(before, dtype=torch.bool)
        rows = (chosen if goals is None else chosen & (goals != batch.targets)).nonzero().flatten()
        adversarial = batch.inputs.clone()
        if not len(rows):
            return adversarial
        own, aims = batch.inputs[rows], None if goals is None else goals[rows]
        changed = self.attack(self.model, own, batch.targets[rows], rng=keys.take(rows), goals=aims).detach()
        if changed.shape != own.shape:
            raise ComputeError(f"the attack returned shape {tuple(changed.shape)}; expected {tuple(own.shape)}")
        adversarial[rows] = changed
        return adversarial


@torch.no_grad()
def _logits(model: nn.Module, inputs: Tensor, index: Tensor) -> Tensor:
    """One column per class. Raises ComputeError: of what is no number argmax makes a class all the same."""
    logits = class_logits(ask(model, inputs, index))
    if logits.isnan().any():
        raise ComputeError("the model's outputs are not numbers (NaN), so they name no class")
    return logits


def _judged(model: nn.Module, batch: Batch) -> Tensor:
    """Predicted classes of unchanged examples. Raises DataError."""
    logits, targets = _logits(model, batch.inputs, batch.index), batch.targets
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < logits.shape[1]:
        given = f"{int(targets.min())} … {int(targets.max())}"
        raise DataError(f"the data have classes {given}; the model has {logits.shape[1]}, from 0 to {logits.shape[1] - 1}")
    return logits.argmax(dim=1)


def _refuse_foreign_images(inputs: Tensor) -> None:
    """Raises DataError for images that are not in [0, 1]: an attack's radius would not mean what it says."""
    if inputs.ndim != 4 or not inputs.numel():
        return
    low, high = (float(bound) for bound in inputs.aminmax())
    # Written so that NaN is refused, too.
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise DataError(f"the images lie in [{low:g}, {high:g}]; expected [0, 1]", hint="the model itself normalises them")


@dataclass
class _Counter:
    forwards: int = 0
    backwards: int = 0


@contextmanager
def _lent(model: nn.Module) -> Iterator[_Counter]:
    """Borrows the model and counts examples through it, forwards and backwards."""
    counter = _Counter()

    def forward_hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        counter.forwards += len(output)
        if output.requires_grad:
            output.register_hook(backward_hook)  # type: ignore[no-untyped-call]

    def backward_hook(gradient: Tensor) -> None:
        counter.backwards += len(gradient)

    handle = model.register_forward_hook(forward_hook)
    try:
        with borrowed(model):
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
