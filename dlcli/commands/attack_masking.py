"""The masking verdict of a report: what is measured for it, and how it is said."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dlcli.attacks.apgd import APGD
from dlcli.attacks.pgd import PGD
from dlcli.attacks.probes import Probes, probe
from dlcli.commands.attack_budget import order_of
from dlcli.commands.attack_chain import PGD_STEPS, Effort, Examined, Link
from dlcli.commands.attack_results import csv_of
from dlcli.commands.subject import Subject
from dlcli.contracts import Metric
from dlcli.engine.outcomes import Outcomes
from dlcli.metrics import masking
from dlcli.metrics.masking import Check
from dlcli.metrics.robustness import standing
from dlcli.randomness import SampleKeys
from dlcli.report.page import Table

# Examples whose gradients are compared with finite differences.
_LOOKED_AT = 64
Attempt = Callable[[Link, Tensor], Outcomes]


def masking_checks(
    subject: Subject, examined: Examined, effort: Effort, *, probes: int, seed: int, attempt: Attempt | None
) -> list[Check]:
    """Returns every check that can be made.

    Args:
        probes: examples, drawn at random, that PGD is run on at several radii, and at most so many of those that stood.
        attempt: runs a link on some rows; None leaves out what needs more attacks.
    """
    order = order_of(len(examined.clean.targets), seed=seed)
    right = order[examined.right[order]]
    checks = _looks(_probed(subject, right[:_LOOKED_AT] if len(right) else order[:_LOOKED_AT], seed=seed))
    if not len(right):
        return checks
    total = len(right)
    stood = {name: int(standing(examined.column(name), examined.epsilon)[right].sum()) for name in ("fgsm", "pgd")}
    checks.append(masking.pgd_over_fgsm(stood["pgd"], stood["fgsm"], total))
    before, after = examined.standing(before="square"), examined.column("square")
    fell = before & ~standing(after, examined.epsilon)
    checks.append(masking.black_box(int(fell.sum()), int(before.sum()), total))
    if attempt is None:
        return checks
    return checks + _further(examined, effort, right[:probes], right, attempt=attempt, largest=_largest(subject, effort))


def masking_metrics(checks: Sequence[Check]) -> dict[str, Metric]:
    """Returns ``attack/masking/CHECK`` and how many of them warn and fail."""
    counts = {
        name: sum(check.verdict == verdict for check in checks) for name, verdict in (("warned", "WARN"), ("failed", "FAIL"))
    }
    figures = {f"attack/masking/{check.name}": Metric(check.value) for check in checks}
    return {**{f"attack/masking/{name}": Metric(float(count), n=len(checks)) for name, count in counts.items()}, **figures}


def masking_words(checks: Sequence[Check]) -> list[str]:
    """Returns the verdict, and a sentence for each check that does not pass."""
    verdict = masking.overall(checks)
    said = {
        "PASS": f"Masking verdict PASS: none of {len(checks)} checks found a hidden gradient.",
        "WARN": f"Masking verdict WARN: what stands may fall to other attacks; see which of {len(checks)} checks say so.",
        "FAIL": f"Masking verdict FAIL: do not believe that what stands is robust; see which of {len(checks)} checks say so.",
    }
    worst = sorted((check for check in checks if check.verdict != "PASS"), key=lambda check: check.verdict)
    return [
        said[verdict],
        *(f"{check.verdict} {check.words}: {check.figure}; {check.reason}. Next: {check.advice}." for check in worst),
    ]


def masking_table(checks: Sequence[Check]) -> Table:
    """Returns a row for each check."""
    rows = tuple((check.words, check.verdict, check.figure, check.reason, check.advice or "–") for check in checks)
    header = ("check", "verdict", "figure", "reason", "next")
    return Table("Signs of a hidden gradient", header, rows, words=frozenset(range(len(header))))


def masking_csv(checks: Sequence[Check]) -> bytes:
    """Returns a line for each check as CSV."""
    rows = [(check.name, check.verdict, check.value, check.figure, check.reason, check.advice) for check in checks]
    return csv_of(("check", "verdict", "value", "figure", "reason", "next"), rows)


def _probed(subject: Subject, rows: Tensor, *, seed: int) -> Probes:
    batch = next(iter(subject.split.batches(rows, len(rows))))
    return probe(subject.loaded.model, batch.inputs, batch.targets, rng=SampleKeys(seed, batch.index))


def _looks(seen: Probes) -> list[Check]:
    return [
        masking.zero_gradients(seen.zero_cross_entropy, seen.zero_log_odds),
        masking.finite_differences(seen.disagreeing, seen.flat),
        masking.randomness(seen.change, seen.flips),
        masking.softmax_outputs(seen.are_probabilities, binary=seen.binary),
    ]


def _further(examined: Examined, effort: Effort, few: Tensor, right: Tensor, *, attempt: Attempt, largest: float) -> list[Check]:
    radii = _radii(examined, effort, largest)
    left = []
    for number, radius in enumerate(radii):
        attack = PGD(epsilon=radius, norm=effort.norm, steps=PGD_STEPS)
        found = attempt(_link(f"masking_{number}", f"PGD at {radius:.3g}", attack, PGD_STEPS), few)
        left.append(int((found.predicted == examined.clean.targets[few]).sum()))
    stood = right[examined.standing()[right]]
    tried = stood[: len(few)]
    more = APGD(epsilon=effort.epsilon, norm=effort.norm, steps=2 * effort.steps, restarts=2)
    found = attempt(_link("masking_more", "more effort", more, 4 * effort.steps), tried)
    fell = int((found.predicted != examined.clean.targets[tried]).sum())
    return [
        masking.large_radius(left[-1], len(few), largest),
        masking.monotone(left, radii, len(few)),
        masking.more_effort(fell, len(tried), len(stood), len(examined.examined)),
    ]


def _radii(examined: Examined, effort: Effort, largest: float) -> list[float]:
    """Where accuracy may be seen to fall: about the change that half of the examples need, about epsilon, and the end."""
    distances = examined.distances()[examined.right]
    needed = distances[distances.isfinite() & (distances > 0)]
    middle = [float(needed.median())] if len(needed) else []
    radii = (*(factor * size for size in middle for factor in (0.5, 1.0)), *(effort.epsilon * factor for factor in (0.5, 1, 2)))
    # Where half of the examples need about epsilon itself, radii that read alike are not worth two runs.
    apart = {f"{radius:.3g}": radius for radius in radii if radius < largest}
    return [*sorted(apart.values()), largest]


def _link(name: str, words: str, attack: PGD | APGD, passes: int) -> Link:
    return Link(name=name, words=words, attack=attack, on_all=False, forwards=passes, backwards=passes)


def _largest(subject: Subject, effort: Effort) -> float:
    """The radius of a ball that holds the whole box, wherever its centre is."""
    size = subject.loaded.model.spec.shape
    return 1.0 if effort.norm == "linf" else math.sqrt(torch.Size(size).numel())
