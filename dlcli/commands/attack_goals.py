"""``--targeted CLASS|random|least-likely``: what attacked examples are to be taken for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.contracts import Attack
from dlcli.errors import UsageError, did_you_mean
from dlcli.randomness import SampleKeys

RULES = ("random", "least-likely")


@dataclass(frozen=True)
class Goal:
    """A choice of :data:`dlcli.engine.perturb.Goals`.

    Args:
        words: what people read: a class's name, "a random class" or "the least likely class".
        number: the class for all examples; None for one that depends on the example.
        rule: one of ``RULES`` where ``number`` is None.
    """

    words: str
    number: int | None = None
    rule: str | None = None

    def __call__(self, logits: Tensor, targets: Tensor, keys: SampleKeys) -> Tensor:
        """Returns a class for each example, int64 (n,); what is chosen by a rule is never the true class."""
        if self.number is not None:
            return torch.full_like(targets, self.number)
        if self.rule == "random":
            drawn = keys.integers("attack/goal", 0, logits.shape[1] - 1)
            return drawn + (drawn >= targets)
        return logits.scatter(1, targets[:, None], torch.inf).argmin(dim=1)


def read_goal(text: str | None, classes: Sequence[str], attack: Attack) -> Goal | None:
    """Returns the goal that ``text`` names, or None without one. A class's name goes before its number.

    Raises:
        UsageError: there is no such class, or the attack cannot aim.
    """
    if text is None:
        return None
    if not getattr(attack, "aims", True):
        reason = f"--targeted {text}: {type(attack).__name__.lower()} aims at no class"
        raise UsageError(reason, hint="leave out --targeted, or dl attack pgd")
    if text in RULES:
        return Goal(f"{'a' if text == 'random' else 'the'} {text.replace('-', ' ')} class", rule=text)
    if text in classes:
        return Goal(text, list(classes).index(text))
    if text.isdecimal() and int(text) < len(classes):
        return Goal(classes[int(text)], int(text))
    same = [name for name in classes if name.casefold() == text.casefold()]
    if len(same) == 1:
        return Goal(same[0], list(classes).index(same[0]))
    near = did_you_mean(text, [*classes, *RULES])
    raise UsageError(
        f"--targeted {text}: the model has no such class{near}",
        hint=f"a class's name, its number from 0 to {len(classes) - 1}, random or least-likely",
    )
