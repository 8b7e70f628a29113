"""Clean beside robust: what an attack leaves of a model's scores, over all and class by class."""

from __future__ import annotations

from dlcli.commands.attack_figures import Attacked, attack_metrics
from dlcli.contracts import Metric
from dlcli.metrics.accuracy import confusion_counts
from dlcli.metrics.bootstrap import balanced_accuracy_and_f1
from dlcli.metrics.intervals import wilson


def robust_metrics(attacked: Attacked, *, classes: int, radius: float | None = None) -> dict[str, Metric]:
    """Returns the attack's own metrics, and ``attack/robust_balanced_accuracy``, ``robust_macro_f1`` and ``robust_recall/K``.

    Examples that were misclassified without the attack stay what they were taken for.

    Args:
        radius: as of :func:`~dlcli.commands.attack_figures.attack_metrics`: what is further away stays what it was taken for.
    """
    report = attacked.report
    taken = report.attacked if radius is None else report.attacked.where(report.distances <= radius, report.clean)
    confusion = confusion_counts(taken, report.targets, classes)
    scores = balanced_accuracy_and_f1(confusion)
    right, present = confusion.diagonal().tolist(), confusion.sum(dim=1).tolist()
    return {
        **attack_metrics(attacked, radius=radius),
        "attack/robust_balanced_accuracy": scores["balanced_accuracy"],
        "attack/robust_macro_f1": scores["macro_f1"],
        **{f"attack/robust_recall/{number}": wilson(right[number], present[number]) for number in range(classes)},
    }
