"""An attack and its null over a subject's examples."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from dlcli.attacks.noise import Noise
from dlcli.attacks.spatial import RandomMove, Spatial
from dlcli.commands.attack_estimate import duration
from dlcli.commands.attack_figures import Attacked
from dlcli.commands.attack_parts import Parts, joined
from dlcli.commands.console import Talk
from dlcli.commands.radius import with_radius
from dlcli.commands.session import plain_number
from dlcli.commands.signals import StopFlag
from dlcli.config.build import build
from dlcli.contracts import Attack, DataSpec, Split
from dlcli.engine.device import memory_errors
from dlcli.engine.outcomes import polled
from dlcli.engine.perturb import AttackReport, Goals, perturb

# Seconds from which on what an attack will take is said before it is over.
_LONG = 60.0


def build_attack(node: Mapping[str, Any], spec: DataSpec, *, why: str | None = None) -> tuple[Attack, str]:
    """Returns the attack of a node, ``epsilon: auto`` resolved from the data, and where epsilon came from.

    Args:
        why: the reason for the data's own epsilon; None: it is the data's default.

    Raises:
        UsageError: the data have no epsilon for the norm. ConfigError: the node describes no attack.
    """
    own, reason = with_radius("attack", node, spec, why=why)
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
    kept: Parts | None = None,
) -> Attacked:
    """Attacks a split, and then changes it at random by as much.

    Args:
        goals: what the examples are to be taken for; None: any error counts.
        source: the model that the attack looks at; None is ``model``, whose predictions count in any case.
        kept: where finished batches are, and go, so that an attack that is stopped need not begin again.
    """
    total, looked_at = len(split), model if source is None else source
    parts = [] if kept is None else kept.known(split)
    behind = sum(len(part.targets) for part in parts)
    if behind:
        talk.line(f"{plain_number(behind)} of {plain_number(total)} examples were attacked before")
    rest = split.select(torch.arange(behind, total)) if behind else split
    sizes: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "check": flag.check}
    what, advice = f"attacking {batch_size} examples at once", f"--batch-size {max(1, batch_size // 4)}"
    with memory_errors(what, advice), talk.progress("examples", 2 * total, done=behind) as bar, polled(looked_at, flag.check):
        started, done = time.perf_counter(), behind
        for part in perturb(looked_at, chosen, rest, goals=goals, judge=model, **sizes):
            if done == behind:
                expected, words = cost_of(time.perf_counter() - started, len(part.targets), len(rest))
                if expected > _LONG and len(part.targets) < len(rest):
                    talk.line(words)
            parts.append(part)
            if kept is not None:
                kept.add(part)
            done += len(part.targets)
            bar.at(done)
        report, null = joined(parts), []
        for part in perturb(model, null_of(chosen, report), split, spare_misclassified=False, clean=report.clean, **sizes):
            null.append(part)
            done += len(part.targets)
            bar.at(done)
    return Attacked(report, joined(null))


def cost_of(seconds: float, count: int, total: int) -> tuple[float, str]:
    """Returns what an attack on ``total`` examples will take when ``count`` took so many ``seconds``: seconds, and words."""
    expected = seconds * total / count
    seen = f"the first {plain_number(count)} of {plain_number(total)} examples took {duration(seconds)}"
    return expected, f"estimated cost: about {duration(expected)} ({seen})"


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
