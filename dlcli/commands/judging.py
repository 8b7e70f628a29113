"""Robust accuracy while a model is trained and when it is done: PGD on some examples of val and of test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from dlcli.attacks.pgd import PGD
from dlcli.contracts import Attack, Metric, Objective, Split, Threat
from dlcli.data.memory import stratified_subset
from dlcli.engine.perturb import perturb
from dlcli.engine.state import ROBUST, Plan
from dlcli.metrics.intervals import wilson

VAL_STEPS = 10
TEST_STEPS = 40


@dataclass(frozen=True, kw_only=True)
class Judge:
    """An attack on a fixed part of a split.

    Args:
        split: what is attacked.
        batch_size: at most so many examples at once.
    """

    attack: Attack
    split: Split
    batch_size: int
    seed: int

    @classmethod
    def of(cls, threat: Threat, split: Split, *, steps: int, limit: int, batch_size: int, seed: int) -> Judge:
        """Returns PGD with ``steps`` steps and one random start on ``limit`` examples with the class shares of ``split``."""
        assert threat.epsilon is not None
        attack = PGD(epsilon=threat.epsilon, norm="l2" if threat.norm == "l2" else "linf", steps=steps)
        if limit < len(split):
            split = split.select(stratified_subset(split.targets.cpu(), limit, seed=seed))
        return cls(attack=attack, split=split, batch_size=batch_size, seed=seed)

    def __call__(self, model: nn.Module, check: Callable[[], None] = lambda: None) -> Metric:
        """Returns the share that is right without and with the attack, with its Wilson interval."""
        standing = 0
        for report in perturb(model, self.attack, self.split, batch_size=self.batch_size, seed=self.seed, check=check):
            standing += int(((report.clean == report.targets) & (report.attacked == report.targets)).sum())
        return wilson(standing, len(self.split))

    def on_val(self, model: nn.Module, check: Callable[[], None]) -> Mapping[str, float]:
        """Returns the figure as the engine wants it."""
        return {ROBUST: self(model, check).value}

    def words(self) -> str:
        """Returns what the figure rests on, in words."""
        threat = self.attack.threat
        steps = getattr(self.attack, "steps", 0)
        return f"PGD-{steps}, {threat.norm}, epsilon {threat.epsilon:.4g}, one random start, on {len(self.split):,} examples"


def val_judge(objective: Objective, val: Split | None, plan: Plan, *, limit: int) -> Judge | None:
    """Returns what is asked after every epoch; None where there is no attack to withstand, or no val."""
    if objective.threat is None or val is None:
        return None
    return Judge.of(objective.threat, val, steps=VAL_STEPS, limit=limit, batch_size=plan.eval_batch_size, seed=plan.seed)
