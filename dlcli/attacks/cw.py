"""Carlini and Wagner's attack in L2: the length of the change and the model's verdict in one loss, weighed by trial."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import distance
from dlcli.attacks.examples import NOT_FINITE, Examples, Standing, lent
from dlcli.attacks.gradients import look
from dlcli.attacks.losses import margin
from dlcli.attacks.minimum import nearness, opened
from dlcli.contracts import Threat
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys

# As in the authors' code: pixels of 0 and 1 would otherwise be infinitely far away, and never move.
_SHRINK = 1 - 1e-6
# A tenth of the steps must lower the loss below this share of what it was,
_PROGRESS = 0.9999
# or take some pixel this share of as far as Adam can: black and white ones have far to go in w before it shows in the loss.
_UNDERWAY = 0.1


@dataclass(frozen=True, kw_only=True)
class CW:
    """Carlini and Wagner 2017, "Towards evaluating the robustness of neural networks", the L2 attack of §V-A and §VI-A.

    Minimum-norm. With x' = (tanh w + 1) / 2, which never leaves the box, Adam lowers ‖x' - x‖₂² + c · max(κ - L, 0) over w, L
    being the lead of the best wrong class over the true one (f₆), with ``goals`` of the goal over all others. A binary search
    over c, which each example has for itself, begins anew after each descent: c is ten times as large until the model is fooled
    for the first time, and then halfway between the largest c that failed and the smallest that did not. What comes back is the
    nearest point with L >= κ, else the one of highest L. Unlike in the authors' code it is decided example by example whether a
    descent still makes progress, so results do not depend on the batch; pixels that are underway are progress, too; and the last
    point of a descent is looked at. Tables have no box, and Adam moves their numbers themselves.

    It costs at most ``search_steps`` · ``steps`` forward and backward passes, and ``search_steps`` + 1 forward passes more.

    Args:
        confidence: lead in logits that counts as fooled, κ; at least 0. The higher, the likelier to fool other models, too.
        search_steps: descents, each with its own c; at least 1.
        steps: Adam's steps in each; at least 1. The authors' 10,000 are ten times as many.
        step_size: Adam's learning rate, above 0: how far w moves at first, whatever the slope. Where changes are large, as for
            MNIST, 200 steps at 0.1 find ones 1 % longer than 1000 at 0.01 for a sixth of the passes; small ones they miss.
        initial_const: c of the first descent, above 0.
        abort_early: end descents that make no progress, which is looked at ten times.
    """

    confidence: float = 0.0
    search_steps: int = 9
    steps: int = 1000
    step_size: float = 0.01
    initial_const: float = 1e-3
    abort_early: bool = True
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_counts(search_steps=self.search_steps, steps=self.steps)
        if not 0 <= self.confidence < math.inf:
            raise ValueError(f"confidence must be finite and at least 0, got {self.confidence}")
        for name in ("step_size", "initial_const"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite and above 0, got {getattr(self, name)}")

    @property
    def threat(self) -> Threat:
        return Threat("l2", None)

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        *,
        rng: SampleKeys | None = None,
        goals: Tensor | None = None,
    ) -> Tensor:
        """Returns adversarial inputs; misclassified examples (with goals: those taken for their goal) stay as they are.

        It draws nothing, so ``rng`` does not matter.
        """
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            standing, active, _ = opened(model, examples, confidence=self.confidence)
            if len(active):
                self._search(model, active, standing)
            return standing.result()

    def _search(self, model: nn.Module, examples: Examples, standing: Standing) -> None:
        const = examples.inputs.new_full((len(examples),), self.initial_const)
        low, high = torch.zeros_like(const), torch.full_like(const, torch.inf)
        for _ in range(self.search_steps):
            descent = _Descent(self, examples, const)
            descent.run(model)
            standing.offer(descent.best, descent.merits, torch.zeros_like(descent.reached))
            low, high = torch.where(descent.reached, low, const), torch.where(descent.reached, const, high)
            const = torch.where(high.isfinite(), (low + high) / 2, 10 * const)


class _Descent:
    """Adam from the examples, with one c each; ``best`` is the nearest point that fooled, ``merits`` what it is worth."""

    def __init__(self, attack: CW, examples: Examples, const: Tensor) -> None:
        self._attack, self._examples, self._const = attack, examples, const
        self.best, self.merits = examples.inputs.clone(), torch.full_like(const, -torch.inf)
        self.reached = torch.zeros_like(const, dtype=torch.bool)
        self._at = torch.arange(len(const), device=const.device)
        self._boxed = examples.inputs.ndim > 2
        self._place = torch.atanh((2 * examples.inputs - 1).clamp(-1, 1) * _SHRINK) if self._boxed else examples.inputs
        self._first, self._second = torch.zeros_like(self._place), torch.zeros_like(self._place)
        self._checked, self._left = torch.full_like(const, torch.inf), self._place

    def run(self, model: nn.Module) -> None:
        attack, every = self._attack, math.ceil(self._attack.steps / 10)
        for step in range(attack.steps + 1):
            points = (self._place.tanh() + 1) / 2 if self._boxed else self._place
            seen = look(model, points, self._examples, margin, gradient=step < attack.steps)
            if not seen.values.isfinite().all():
                raise ComputeError(NOT_FINITE)
            fooled = self._examples.fooled(seen.logits) & (seen.values >= attack.confidence)
            change = points - self._examples.inputs
            size = distance(change, "l2")
            self._note(points, nearness(size, seen.values - attack.confidence, fooled), fooled)
            if step == attack.steps:
                return
            pull = torch.where(fooled, 0, self._const).reshape(-1, *[1] * (points.ndim - 1))
            slope = 2 * change - pull * seen.gradient
            self._move(slope * (0.5 / self._place.cosh().square() if self._boxed else 1), step + 1)
            if attack.abort_early and step % every == 0:
                self._drop(size.square() + self._const * (attack.confidence - seen.values).clamp_min(0), attack.step_size * every)
                if not len(self._at):
                    return

    def _note(self, points: Tensor, merits: Tensor, fooled: Tensor) -> None:
        better = merits > self.merits[self._at]
        rows = self._at[better]
        self.best[rows], self.merits[rows] = points[better], merits[better]
        self.reached[self._at[fooled]] = True

    def _move(self, gradient: Tensor, step: int) -> None:
        """A step of Adam (Kingma and Ba 2015, Alg. 1, with its constants); entry by entry, so whatever the batch."""
        self._first = self._first.lerp(gradient, 0.1)
        self._second = self._second.lerp(gradient.square(), 0.001)
        scale = (self._second / (1 - 0.999**step)).sqrt() + 1e-8
        self._place = self._place - self._attack.step_size / (1 - 0.9**step) * self._first / scale

    def _drop(self, loss: Tensor, reach: float) -> None:
        """Lets those go whose loss has not fallen since the last check, and who are nowhere underway."""
        moved = (self._place - self._left).flatten(1).abs().amax(dim=1)
        keep = ((loss <= _PROGRESS * self._checked) | (moved > _UNDERWAY * reach)).nonzero().flatten()
        self._at, self._const, self._examples = self._at[keep], self._const[keep], self._examples.take(keep)
        self._place, self._first, self._second = self._place[keep], self._first[keep], self._second[keep]
        self._checked, self._left = loss[keep], self._place
