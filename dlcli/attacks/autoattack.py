"""AutoAttack: four attacks of different kinds, each on what the others left standing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from dlcli.attacks.apgd import APGD
from dlcli.attacks.apgd_t import APGDT
from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import Norm, check_epsilon
from dlcli.attacks.examples import Standing, lent
from dlcli.attacks.fab_t import FABT
from dlcli.attacks.gradients import first_look
from dlcli.attacks.losses import margin
from dlcli.attacks.square import Square
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class AutoAttack:
    """The standard version (Croce and Hein 2020, "Reliable evaluation of adversarial robustness", §6), with its budgets.

    AutoPGD on the cross-entropy, targeted AutoPGD on the DLR loss, targeted FAB, and Square attack, in this order, each from the
    unchanged examples that still stand: the worst case of each example. An example leaves at the first point that fools the
    model; one that stands to the end comes back as the point of highest margin. With ``goals`` all four aim at the goal. Images
    are clipped to [0, 1]; tables are not clipped.

    Args:
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
        steps: gradient steps of AutoPGD, and of AutoPGD and FAB for each class; at least 1.
        targets: wrong classes to try, the likeliest first; at least 1, and never more than there are.
        queries: of Square attack; at least 1.
    """

    epsilon: float
    norm: Norm = "linf"
    steps: int = 100
    targets: int = 9
    queries: int = 5000
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)
        check_counts(steps=self.steps, targets=self.targets, queries=self.queries)

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
        epsilon, norm = self.epsilon, self.norm
        apgd_ce = APGD(epsilon=epsilon, norm=norm, steps=self.steps)
        apgd_t = APGDT(epsilon=epsilon, norm=norm, steps=self.steps, targets=self.targets)
        fab_t = FABT(norm=norm, steps=self.steps, targets=self.targets)
        square = Square(epsilon=epsilon, norm=norm, queries=self.queries)
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            standing = Standing(examples)
            seen = first_look(model, examples, margin, gradient=False)
            standing.offer(examples.inputs, seen.values, examples.fooled(seen.logits))
            apgd_ce.search(model, examples, standing, rank=margin)
            apgd_t.search(model, examples, standing, clean=seen.logits)
            fab_t.search(model, examples, standing, clean=seen.logits, epsilon=epsilon)
            square.search(model, examples, standing, rank=margin)
            return standing.result()
