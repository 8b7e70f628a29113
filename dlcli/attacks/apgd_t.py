"""Targeted AutoPGD: one climb towards each of the likeliest wrong classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.autopgd import autopgd
from dlcli.attacks.balls import Norm, check_epsilon
from dlcli.attacks.examples import Examples, Standing, lent
from dlcli.attacks.gradients import first_look
from dlcli.attacks.losses import dlr, margin, targeted_dlr
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys


def likeliest_errors(logits: Tensor, targets: Tensor, count: int) -> Tensor:
    """Returns each example's wrong classes, the one with the highest logit first, int64 (N, min(count, P - 1))."""
    wrong = logits.scatter(1, targets[:, None], -torch.inf)
    return wrong.topk(min(count, logits.shape[1] - 1), dim=1).indices


@dataclass(frozen=True, kw_only=True)
class APGDT:
    """AutoPGD on the targeted DLR loss (Croce and Hein 2020, "Reliable evaluation of adversarial robustness", §4, eq. 7).

    Climbs towards the likeliest wrong class of the unchanged example, then the next; any error counts. The loss needs four
    classes; with fewer, where the authors' code fails, it is the plain difference of logits. What comes back is the first point
    that fools the model, else the point of highest margin. With ``goals`` there is one climb, to the goal. Images are clipped to
    [0, 1]; tables are not clipped.

    Args:
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
        steps: gradient steps towards each class; at least 1.
        targets: wrong classes to try; at least 1, and never more than there are.
    """

    epsilon: float
    norm: Norm = "linf"
    steps: int = 100
    targets: int = 9
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)
        check_counts(steps=self.steps, targets=self.targets)

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.epsilon)

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        *,
        rng: SampleKeys | None = None,
        goals: Tensor | None = None,
    ) -> Tensor:
        """Returns adversarial inputs; misclassified examples (with goals: those taken for their goal) stay as they are."""
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            standing = Standing(examples)
            clean = first_look(model, examples, margin, gradient=False)
            standing.offer(examples.inputs, clean.values, examples.fooled(clean.logits))
            if goals is not None:
                self._climb(model, examples.take(standing.rows), standing, turn=0)
                return standing.result()
            for turn, rivals in enumerate(likeliest_errors(clean.logits, examples.targets, self.targets).unbind(dim=1)):
                self._climb(model, examples.against(rivals).take(standing.rows), standing, turn=turn)
            return standing.result()

    def _climb(self, model: nn.Module, examples: Examples, standing: Standing, *, turn: int) -> None:
        if len(examples):
            autopgd(
                model,
                examples,
                standing,
                loss=targeted_dlr if examples.goals is None else dlr,
                rank=margin,
                norm=self.norm,
                epsilon=self.epsilon,
                steps=self.steps,
                restart=turn,
            )
