"""The attacks of a robustness report, from cheap to strong: which there are, and what they leave standing of each example."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dlcli.attacks.apgd import APGD
from dlcli.attacks.apgd_t import APGDT
from dlcli.attacks.balls import Norm
from dlcli.attacks.fab_t import FABT
from dlcli.attacks.fgsm import FGSM
from dlcli.attacks.ladder import Ladder
from dlcli.attacks.noise import Noise
from dlcli.attacks.pgd import PGD
from dlcli.attacks.square import Square
from dlcli.commands.subject import Subject
from dlcli.contracts import Attack
from dlcli.engine.outcomes import Clean, Outcomes, outcomes
from dlcli.metrics.robustness import fooling_distances, smallest, standing

NOISE, CURVE = "noise", "curve"
PGD_STEPS = 40
# Gradient steps at each radius of the curve.
CURVE_STEPS = 10


@dataclass(frozen=True, kw_only=True)
class Link:
    """One attack of the chain.

    Args:
        name: in file and metric names.
        words: in tables.
        on_all: it is tried on every correctly classified example, and has a robust accuracy of its own; else only on those that
            still stand.
        forwards, backwards: passes of one example that stands to the end.
    """

    name: str
    words: str
    attack: Attack
    on_all: bool
    forwards: int
    backwards: int


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How hard a report tries; see :class:`dlcli.commands.attack_study.RobustnessReport` for the fields."""

    epsilon: float
    norm: Norm
    steps: int
    targets: int
    queries: int
    reach: float
    rungs: int

    @property
    def radii(self) -> tuple[float, ...]:
        """Radii of the curve: half up to ``epsilon``, the denser the smaller, and half beyond, up to ``reach`` times as much.

        In Linf none is above 1. An undefended network falls far below ``epsilon``, hence the squares.
        """
        end = self.epsilon * self.reach
        end = min(end, 1.0) if self.norm == "linf" else end
        near = max(1, round(self.rungs / 2)) if end > self.epsilon else self.rungs
        far = self.rungs - near if end > self.epsilon else 0
        inner = [self.epsilon * (place / near) ** 2 for place in range(1, near + 1)]
        return (*inner, *(self.epsilon + (end - self.epsilon) * place / far for place in range(1, far + 1)))

    def chain(self, classes: int) -> tuple[Link, ...]:
        """Returns the attacks in the order in which they are tried, for a model of so many classes; without the curve."""
        epsilon, norm, steps = self.epsilon, self.norm, self.steps
        targets = min(self.targets, classes - 1)
        ball: dict[str, Any] = {"epsilon": epsilon, "norm": norm}
        fab_t = FABT(norm=norm, steps=steps, targets=self.targets)
        links: tuple[tuple[str, str, Attack, bool, int, int], ...] = (
            (NOISE, "noise", Noise(**ball), True, 1, 0),
            ("fgsm", "FGSM", FGSM(**ball), True, 2, 1),
            ("pgd", "PGD", PGD(**ball, steps=PGD_STEPS), True, PGD_STEPS + 2, PGD_STEPS),
            ("apgd_ce", "APGD-CE", APGD(**ball, steps=steps), True, steps + 2, steps),
            ("apgd_t", "APGD-T", APGDT(**ball, steps=steps, targets=self.targets), False, targets * (steps + 1), targets * steps),
            ("fab_t", "FAB-T", fab_t, False, 2 * targets * steps, targets * steps),
            ("square", "Square", Square(**ball, queries=self.queries), False, self.queries + 2, 0),
        )
        return tuple(
            Link(name=name, words=words, attack=attack, on_all=on_all, forwards=forwards, backwards=backwards)
            for name, words, attack, on_all, forwards, backwards in links
        )

    def curve_link(self, *, steps: int) -> Link:
        """Returns the climb through the radii of the curve."""
        count = len(self.radii)
        attack = Ladder(radii=self.radii, norm=self.norm, steps=steps)
        return Link(name=CURVE, words="curve", attack=attack, on_all=True, forwards=count * (steps + 1), backwards=count * steps)


@dataclass(frozen=True, eq=False, kw_only=True)
class Examined:
    """What the attacks did to a split.

    Args:
        examined: positions that all of the chain was tried on, as far as they stood, int64 (M,).
        found: the outcomes by link, in the order of the chain.
    """

    clean: Clean
    epsilon: float
    examined: Tensor
    found: Mapping[str, Outcomes] = field(default_factory=dict)

    @property
    def right(self) -> Tensor:
        """Which of the examined examples are correct without an attack, bool (N,)."""
        return self.clean.right & self.is_examined

    @property
    def is_examined(self) -> Tensor:
        """bool (N,)."""
        chosen = torch.zeros(len(self.clean.targets), dtype=torch.bool)
        chosen[self.examined] = True
        return chosen

    def column(self, name: str) -> Tensor:
        """Returns how far an attack had to go for each example, float32 (N,); see :mod:`dlcli.metrics.robustness`."""
        own = self.found[name]
        column = fooling_distances(self.clean.right, own.rows, own.predicted, self.clean.targets, own.distances)
        return column.masked_fill(~self.is_examined, torch.nan)

    def distances(self, *, before: str | None = None) -> Tensor:
        """Returns the smallest distance that any attack found, float32 (N,); only by those ``before`` one of them, if named.

        Noise counts as an attack, too: what it breaks is broken.
        """
        names = list(self.found)
        names = names if before is None else names[: names.index(before)]
        nothing = torch.full_like(self.clean.targets, torch.inf, dtype=torch.float32).masked_fill(~self.clean.right, 0.0)
        known = {name: self.column(name) for name in names}
        return smallest({**known, "nothing": nothing.masked_fill(~self.is_examined, torch.nan)})

    def attacked_classes(self) -> Tensor:
        """Returns what each example is taken for at ``epsilon``, int64 (N,): by the first attack that broke it, else as it is."""
        classes = self.clean.predicted.clone()
        broken = ~self.clean.right
        for name, own in self.found.items():
            fallen = (~standing(self.column(name), self.epsilon))[own.rows] & self.right[own.rows] & ~broken[own.rows]
            rows = own.rows[fallen]
            classes[rows], broken[rows] = own.predicted[fallen], True
        return classes

    def nearest(self, row: int) -> str | None:
        """Returns the attack that broke an example with the smallest change; None where none did within ``epsilon``."""
        columns = {name: float(self.column(name)[row]) for name in self.found if name != NOISE}
        known = {name: size for name, size in columns.items() if not math.isnan(size)}
        best = min(known, key=lambda name: known[name], default=None)
        return best if best is not None and not bool(standing(self.column(best), self.epsilon)[row]) else None

    def standing(self, *, before: str | None = None) -> Tensor:
        """Returns which of the examined examples stand at ``epsilon``, bool (N,)."""
        return standing(self.distances(before=before), self.epsilon)


def run_chain(
    subject: Subject,
    links: Sequence[Link],
    clean: Clean,
    rows: Tensor,
    *,
    epsilon: float,
    attempt: Callable[[Link, Tensor], Outcomes],
) -> Examined:
    """Tries one attack after the other on the examples at ``rows``, int64 (M,).

    Args:
        attempt: runs a link on some rows, or knows what it came to.
    """
    assert len(clean.targets) == len(subject.split)
    examined = Examined(clean=clean, epsilon=epsilon, examined=rows)
    for link in links:
        chosen = rows if link.name == NOISE else rows[(clean.right if link.on_all else examined.standing())[rows]]
        found = {**examined.found, link.name: attempt(link, chosen)}
        examined = Examined(clean=clean, epsilon=epsilon, examined=rows, found=found)
    return examined


def attempted(
    subject: Subject,
    link: Link,
    rows: Tensor,
    clean: Clean,
    *,
    batch_size: int,
    seed: int,
    check: Callable[[], None],
    done: Callable[[int], None] = lambda _count: None,
) -> Outcomes:
    """Runs one link on the examples at ``rows``."""
    return outcomes(
        subject.loaded.model,
        link.attack,
        subject.split,
        rows,
        clean,
        batch_size=batch_size,
        seed=seed,
        spare_misclassified=link.name != NOISE,
        check=check,
        done=done,
    )
