"""Targeted FAB: the smallest change that crosses the boundary to each of the likeliest wrong classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import Norm, boxed, check_norm, distance
from dlcli.attacks.examples import Examples, Standing, lent
from dlcli.attacks.gradients import first_look, look
from dlcli.attacks.hyperplanes import to_hyperplane
from dlcli.attacks.losses import lead, likeliest_errors, margin
from dlcli.attacks.minimum import nearness
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class FABT:
    """Fast adaptive boundary attack (Croce and Hein 2020, "Minimally distorted adversarial examples", Alg. 1), targeted.

    Minimum-norm: it linearises z_t - z_y at the point, goes a little beyond the hyperplane where that is zero, with a pull
    towards the example, and whenever it has crossed goes back towards the example to cross again nearer. What comes back is the
    nearest point found that fools the model, else the point of highest margin. With ``goals`` it linearises the goal's lead over
    the best other class. As in AutoAttack there is no random start and no final search. Images are clipped to [0, 1]; tables are
    not clipped.

    Args:
        norm: "linf" or "l2"; what is made small.
        steps: linearisations for each class; at least 1.
        targets: wrong classes to try, the likeliest of the unchanged example first; at least 1, and never more than there are.
        alpha_max: largest share of a step that is taken from the example and not from the point, in [0, 1].
        eta: how far beyond the hyperplane a step leads, as a multiple of the way to it; at least 1.
        beta: share of the change that is kept on the way back, in (0, 1).
    """

    norm: Norm = "linf"
    steps: int = 100
    targets: int = 9
    alpha_max: float = 0.1
    eta: float = 1.05
    beta: float = 0.9
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_norm(self.norm)
        check_counts(steps=self.steps, targets=self.targets)
        if not 0 <= self.alpha_max <= 1:
            raise ValueError(f"alpha_max must be in [0, 1], got {self.alpha_max}")
        if not 1 <= self.eta < math.inf:
            raise ValueError(f"eta must be finite and at least 1, got {self.eta}")
        if not 0 < self.beta < 1:
            raise ValueError(f"beta must be above 0 and below 1, got {self.beta}")

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, None)

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
            standing = Standing(examples)
            clean = first_look(model, examples, margin, gradient=False)
            standing.offer(examples.inputs, clean.values, examples.fooled(clean.logits))
            self.search(model, examples, standing, clean=clean.logits)
            return standing.result()

    def search(
        self, model: nn.Module, examples: Examples, standing: Standing, *, clean: Tensor, epsilon: float | None = None
    ) -> None:
        """Looks for those of ``examples`` that stand.

        Args:
            clean: logits of the unchanged examples, (N, P).
            epsilon: None looks for the smallest change. With a radius any change within it will do and ends the search for its
                example, and what is outside does not count; points are compared by margin.
        """
        aims = [examples]
        if examples.goals is None:
            aims = [examples.against(rivals) for rivals in likeliest_errors(clean, examples.targets, self.targets).unbind(dim=1)]
        for aimed in aims:
            if not len(standing.rows):
                return
            self._approach(model, aimed.take(standing.rows), standing, epsilon)

    def _approach(self, model: nn.Module, examples: Examples, standing: Standing, epsilon: float | None) -> None:
        loss = lead if examples.goals is None else margin
        points = examples.inputs
        for _ in range(self.steps):
            if not len(examples):
                return
            seen = look(model, points, examples, loss)
            points = self._beyond(points, examples.inputs, seen.values, seen.gradient)
            there = look(model, points, examples, margin, gradient=False)
            crossed, size = examples.fooled(there.logits), distance(points - examples.inputs, self.norm)
            keep = standing.offer(points, *_merits(there.values, crossed, size, epsilon))
            back = examples.inputs + self.beta * (points - examples.inputs)
            points = torch.where(crossed.reshape(-1, *[1] * (points.ndim - 1)), back, points)
            if keep is not None:
                examples, points = examples.take(keep), points[keep]

    def _beyond(self, points: Tensor, inputs: Tensor, values: Tensor, gradient: Tensor) -> Tensor:
        """The next points: between those beyond the hyperplane as seen from the point and as seen from the example."""
        ways = to_hyperplane(
            torch.cat([points, inputs]),
            torch.cat([values, values + (gradient * (inputs - points)).flatten(1).sum(dim=1)]),
            torch.cat([gradient, gradient]),
            self.norm,
        )
        own, other = ways.chunk(2)
        sizes = distance(ways, self.norm).clamp_min(1e-8)
        near, far = sizes.chunk(2)
        pull = (near / (near + far)).clamp_max(self.alpha_max).reshape(-1, *[1] * (points.ndim - 1))
        return boxed((1 - pull) * (points + self.eta * own) + pull * (inputs + self.eta * other))


def _merits(margins: Tensor, crossed: Tensor, size: Tensor, epsilon: float | None) -> tuple[Tensor, Tensor]:
    """What points are compared by, and which of them end the search for their example."""
    if epsilon is None:
        return nearness(size, margins, crossed), torch.zeros_like(crossed)
    inside = size <= epsilon
    return margins.masked_fill(~inside, torch.finfo(margins.dtype).min), crossed & inside
