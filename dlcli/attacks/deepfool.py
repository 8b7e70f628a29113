"""DeepFool: straight to the nearest boundary of a model taken for linear, again and again until it is crossed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import Norm, boxed, check_norm, distance, steepest
from dlcli.attacks.examples import Examples, lent, taken
from dlcli.attacks.gradients import look
from dlcli.attacks.hyperplanes import to_hyperplane
from dlcli.attacks.losses import lead, likeliest_errors, margin
from dlcli.attacks.minimum import opened
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys

# Added to each step, as in the authors' code: where the box cuts steps short they would only creep up to a boundary, and who is
# on it already would stay.
_EXTRA = 1e-4


@dataclass(frozen=True, kw_only=True)
class DeepFool:
    """DeepFool (Moosavi-Dezfooli et al. 2016, "DeepFool: a simple and accurate method to fool deep neural networks").

    Minimum-norm. Each step takes f_k = z_k - z_y to be linear for some wrong classes k, and goes to the nearest of the
    hyperplanes where one of them is zero: in L2 by |f_k| / ‖w_k‖₂² · w_k (Alg. 2), in Linf by |f_k| / ‖w_k‖₁ · sign w_k (§3.3).
    As in the authors' code, the model is asked at 1 + overshoot times the sum of all steps, and the next one begins there; so on
    a linear model it ends that much beyond the nearest boundary. What comes back is the first point that fools the model, else
    the point of highest margin. With ``goals`` it goes to the hyperplane where the goal's lead over the best other class is zero.
    Images are clipped to [0, 1]; tables are not clipped.

    The slopes of all wrong classes come from one pass over a batch that is ``targets`` times as large.

    Args:
        norm: "linf" or "l2"; what is made small.
        steps: linearisations; at least 1.
        targets: wrong classes to look at, the likeliest of the unchanged example first; at least 1, and never more than there
            are. 9, with the true class the authors' 10.
        overshoot: how far beyond the boundary the sum of the steps is taken, as a share of its length; at least 0.
    """

    norm: Norm = "l2"
    steps: int = 50
    targets: int = 9
    overshoot: float = 0.02
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_norm(self.norm)
        check_counts(steps=self.steps, targets=self.targets)
        if not 0 <= self.overshoot < float("inf"):
            raise ValueError(f"overshoot must be finite and at least 0, got {self.overshoot}")

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
            standing, active, clean = opened(model, examples)
            likely = likeliest_errors(clean, active.targets, self.targets)
            rivals = likely if active.goals is None else active.goals[:, None]
            point, total = active.inputs, torch.zeros_like(active.inputs)
            for _ in range(self.steps):
                if not len(active):
                    break
                total = total + self._step(model, point, active, rivals)
                point = boxed(active.inputs + (1 + self.overshoot) * total)
                seen = look(model, point, active, margin, gradient=False)
                keep = standing.offer(point, seen.values, active.fooled(seen.logits))
                active, (rivals, point, total) = active.take(keep), taken(keep, rivals, point, total)
            return standing.result()

    def _step(self, model: nn.Module, points: Tensor, examples: Examples, rivals: Tensor) -> Tensor:
        """The shortest way to a hyperplane where one of the rivals, (n, classes), draws level, were there no box: (n, ...)."""
        rows = torch.arange(len(points), device=points.device).repeat_interleave(rivals.shape[1])
        loss = lead if examples.goals is None else margin
        seen = look(model, points[rows], examples.take(rows).against(rivals.flatten()), loss)
        # Rows of numbers have no box.
        slopes = seen.gradient.flatten(1)
        ways = to_hyperplane(points[rows].flatten(1), seen.values, slopes, self.norm) + _EXTRA * steepest(slopes, self.norm)
        sizes = distance(ways, self.norm).reshape(rivals.shape)
        # A class without a slope is nowhere near.
        nearest = sizes.masked_fill(sizes == 0, torch.inf).argmin(dim=1, keepdim=True)
        return ways.reshape(*rivals.shape, -1).take_along_dim(nearest[..., None], dim=1).reshape(points.shape)
