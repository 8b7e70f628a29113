"""Targeted AutoPGD: one climb towards each of the likeliest wrong classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.autopgd import autopgd
from dlcli.attacks.balls import Norm, check_epsilon
from dlcli.attacks.examples import Examples, Standing, lent
from dlcli.attacks.gradients import first_look
from dlcli.attacks.losses import dlr, likeliest_errors, margin, targeted_dlr
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys


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
            self.search(model, examples, standing, clean=clean.logits)
            return standing.result()

    def search(self, model: nn.Module, examples: Examples, standing: Standing, *, clean: Tensor) -> None:
        """Climbs for those of ``examples`` that stand; points are compared by margin.

        Args:
            clean: logits of the unchanged examples, (N, P).
        """
        aims = [examples]
        if examples.goals is None:
            aims = [examples.against(rivals) for rivals in likeliest_errors(clean, examples.targets, self.targets).unbind(dim=1)]
        for turn, aimed in enumerate(aims):
            if not len(standing.rows):
                return
            autopgd(
                model,
                aimed.take(standing.rows),
                standing,
                loss=targeted_dlr if examples.goals is None else dlr,
                rank=margin,
                norm=self.norm,
                epsilon=self.epsilon,
                steps=self.steps,
                restart=turn,
            )
