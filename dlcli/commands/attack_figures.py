"""What an attack came to, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dlcli.contracts import Metric
from dlcli.engine.perturb import AttackReport
from dlcli.metrics.intervals import mean_interval, median_interval, wilson


@dataclass(frozen=True)
class Attacked:
    """All batches of one attack as one, and the same attack's null: noise.

    Args:
        rounded: predicted classes of the attacked examples once they are rounded, int64 (N,); None where nobody asked.
        rounding: to what: "8bit", as image files hold, or "whole", a table's columns of whole numbers.
    """

    report: AttackReport
    noise: AttackReport
    rounded: Tensor | None = None
    rounding: Literal["8bit", "whole"] = "8bit"


def attack_metrics(attacked: Attacked, *, labelled: bool = True, radius: float | None = None) -> dict[str, Metric]:
    """Returns clean, noise and robust accuracy, success among the eligible, and how large the changes are that succeed.

    Eligible are the correctly classified, with a goal those of another class. Without labels there is no accuracy: what is left
    is how often the clean prediction was changed.

    Args:
        radius: of an attack that has none itself, in its own norm: what is further away counts as robust; None: nothing does.
    """
    report, total = attacked.report, len(attacked.report.targets)
    right = report.clean == report.targets
    held = report.attacked == report.targets
    if radius is not None:
        held |= report.distances > radius
    metrics: dict[str, Metric] = {} if radius is None else {"attack/epsilon": Metric(radius)}
    if labelled:
        metrics |= {
            "attack/clean_accuracy": wilson(int(right.sum()), total),
            "attack/noise_accuracy": wilson(int((attacked.noise.attacked == attacked.noise.targets).sum()), total),
            "attack/robust_accuracy": wilson(int((right & held).sum()), total),
        }
    eligible = int(report.eligible.sum())
    if eligible:
        metrics["attack/success_rate"] = wilson(int(report.success.sum()), eligible)
        if attacked.rounded is not None:
            metrics[f"attack/success_rate_{attacked.rounding}"] = wilson(int(report.succeeded(attacked.rounded).sum()), eligible)
    if report.success.any():
        metrics |= _sizes(report)
    metrics["attack/forwards"] = Metric(float(report.forwards), n=total)
    metrics["attack/backwards"] = Metric(float(report.backwards), n=total)
    return metrics


def norms(report: AttackReport) -> dict[str, Tensor]:
    """Returns the Linf and the L2 size of each example's change, float32 (N,), whatever norm the attack works in."""
    change = (report.adversarial - report.inputs).flatten(1)
    return {"linf": change.abs().amax(dim=1), "l2": torch.linalg.vector_norm(change, dim=1)}


def labels(
    goal: str | None = None,
    *,
    norm: str = "linf",
    radius: float | None = None,
    changed: str = "one number",
    unit: str = "",
    labelled: bool = True,
) -> dict[str, str]:
    """Returns the words of the metrics, for people, in the order in which they are shown.

    Args:
        goal: what the examples were to be taken for; None where any error counts.
        norm: of the threat: in "linf" and "l2" it is compared with noise, in "spatial" with a random move.
        radius: as of :func:`attack_metrics`.
        changed: what a change is of.
        unit: of the changes.
        labelled: False where nothing is known to be correct, and the model's own predictions stand for labels.
    """
    if labelled:
        success = f"taken for {goal}, of the other correctly classified" if goal else "success among the correctly classified"
    else:
        success = f"taken for {goal}, of the others" if goal else "predictions that the attack changed"
    within, mean = "", {}
    if radius is not None:
        within, success = f" within {radius:.4g}{unit} ({norm})", f"{success}, at any distance"
        mean = {"attack/mean_distance": f"distance ({norm}){unit}, mean of successes"}
    return {
        "attack/clean_accuracy": "clean accuracy",
        "attack/noise_accuracy": f"accuracy under {'one random move' if norm == 'spatial' else 'random noise of the same size'}",
        "attack/robust_accuracy": f"robust accuracy{within}",
        "attack/success_rate": success,
        "attack/success_rate_8bit": "  after rounding to 8 bits",
        "attack/success_rate_whole": "  after rounding to whole numbers what is whole",
        "attack/median_linf": f"largest change of {changed}{unit}, median of successes",
        "attack/median_l2": f"length of the change (L2){unit}, median of successes",
        **mean,
    }


def _sizes(report: AttackReport) -> dict[str, Metric]:
    found = {"attack/mean_distance": mean_interval(report.distances[report.success])}
    for norm, sizes in norms(report).items():
        found[f"attack/mean_{norm}"] = mean_interval(sizes[report.success])
        found[f"attack/median_{norm}"] = median_interval(sizes[report.success])
    return found
