"""An attack and its null over a subject's examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from dlcli.attacks.noise import Noise
from dlcli.attacks.spatial import RandomMove, Spatial
from dlcli.commands.attack_figures import Attacked
from dlcli.commands.console import Talk
from dlcli.commands.signals import StopFlag
from dlcli.config.build import build
from dlcli.contracts import Attack, DataSpec, Split
from dlcli.engine.device import memory_errors
from dlcli.engine.perturb import AttackReport, Goals, perturb
from dlcli.errors import UsageError


def build_attack(node: Mapping[str, Any], spec: DataSpec, *, why: str | None = None) -> tuple[Attack, str]:
    """Returns the attack of a node, ``epsilon: auto`` resolved from the data, and where epsilon came from.

    Args:
        why: the reason for the data's own epsilon; None: it is the data's default.

    Raises:
        UsageError: the data have no epsilon for the norm. ConfigError: the node describes no attack.
    """
    own, reason = dict(node), "as asked for"
    if own.get("epsilon") == "auto":
        norm = str(own.get("norm", "linf"))
        if norm not in spec.epsilon:
            raise UsageError(f"{spec.name} has no default epsilon for norm {norm}", hint="attack.epsilon=NUMBER")
        own["epsilon"], reason = spec.epsilon[norm], why or f"the default of {spec.name}"
    built = build("attack", own)
    assert isinstance(built, Attack)
    return built, reason


def run_attack(
    model: nn.Module,
    split: Split,
    chosen: Attack,
    *,
    batch_size: int,
    seed: int,
    flag: StopFlag,
    talk: Talk,
    goals: Goals | None = None,
    source: nn.Module | None = None,
) -> Attacked:
    """Attacks a split, and then changes it at random by as much.

    Args:
        goals: what the examples are to be taken for; None: any error counts.
        source: the model that the attack looks at; None is ``model``, whose predictions count in any case.
    """
    total = len(split)
    reports: list[AttackReport] = []
    what, advice = f"attacking {batch_size} examples at once", f"--batch-size {max(1, batch_size // 4)}"
    with memory_errors(what, advice), talk.progress("examples", 2 * total) as bar:
        for is_null in (False, True):
            parts: list[AttackReport] = []
            for part in perturb(
                model if is_null or source is None else source,
                null_of(chosen, reports[0]) if is_null else chosen,
                split,
                batch_size=batch_size,
                seed=seed,
                spare_misclassified=not is_null,
                clean=reports[0].clean if is_null else None,
                goals=None if is_null else goals,
                judge=model,
                check=flag.check,
            ):
                parts.append(part)
                bar.at(sum(len(done.targets) for done in parts) + is_null * total)
            reports.append(_joined(parts))
    report, noise = reports
    return Attacked(report, noise)


def null_of(attack: Attack, report: AttackReport) -> Attack:
    """Returns what an attack must beat: random noise of its radius; without a radius, of its successes' median size.

    What turns and shifts images must beat one random turn and shift.
    """
    if isinstance(attack, Spatial):
        return RandomMove(rotation=attack.rotation, translation=attack.translation)
    threat = attack.threat
    epsilon = threat.epsilon
    if epsilon is None:
        epsilon = float(report.distances[report.success].median()) if report.success.any() else 0.0
    return Noise(epsilon=epsilon, norm="linf" if threat.norm == "linf" else "l2")


def _joined(parts: list[AttackReport]) -> AttackReport:
    names = ("inputs", "adversarial", "targets", "clean", "attacked", "distances", "index")
    tensors: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    goals = [part.goals for part in parts if part.goals is not None]
    forwards, backwards = sum(part.forwards for part in parts), sum(part.backwards for part in parts)
    return AttackReport(**tensors, forwards=forwards, backwards=backwards, goals=torch.cat(goals) if goals else None)
