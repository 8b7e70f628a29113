"""The figures of one group of examples, and signed differences between two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.contracts import Metric, Predictions
from dlcli.metrics.accuracy import confusion_matrix
from dlcli.metrics.bootstrap import balanced_accuracy_and_f1
from dlcli.metrics.calibration import forecasts
from dlcli.metrics.group_differences import signed_difference
from dlcli.metrics.intervals import mean_interval, wilson
from dlcli.metrics.ranking import auroc

FEWEST, FEWEST_OF_CLASS = 30, 10  # below: "insufficient data"


@dataclass(frozen=True)
class Group:
    """One group.

    Args:
        positives: of two classes, examples of the second; None for more.
        lacking: what there is too little of for a verdict, in words; empty where there is enough.
        metrics: by name; of two classes ``base_rate``, ``selection_rate``, ``tpr``, ``fpr``, ``accuracy``, ``auroc`` and
            ``calibration_gap`` (mean forecast minus observed share); of more ``accuracy``, ``balanced_accuracy`` and
            ``calibration_gap``.
    """

    name: str
    n: int
    positives: int | None
    lacking: str
    metrics: Mapping[str, Metric]


def group_figures(predictions: Predictions, members: Tensor, name: str) -> Group:
    """Returns the figures of the examples in ``members``, bool (N,), with Wilson's, DeLong's and Student's intervals."""
    rows = members.nonzero().flatten()
    own = Predictions(predictions.logits[rows], predictions.targets[rows], predictions.index[rows])
    n = len(rows)
    chance, hit = forecasts(own)
    classes = max(predictions.logits.shape[1], 2)
    confusion = confusion_matrix(own, classes)
    metrics: dict[str, Metric] = {"accuracy": wilson(int(confusion.diagonal().sum()), n)}
    positives = None
    lacking = f"{n} of {FEWEST} examples" if n < FEWEST else ""
    if classes == 2:
        (negative, false_positive), (_, true_positive) = confusion.tolist()
        positives = int(confusion[1].sum())
        others = n - positives
        metrics = {
            "base_rate": wilson(positives, n),
            "selection_rate": wilson(false_positive + true_positive, n),
            "tpr": wilson(true_positive, positives),
            "fpr": wilson(false_positive, others),
            **metrics,
            "auroc": auroc(own),
        }
        assert negative + false_positive == others
        if not lacking and min(positives, others) < FEWEST_OF_CLASS:
            which = "positives" if positives < FEWEST_OF_CLASS else "negatives"
            lacking = f"{min(positives, others)} of {FEWEST_OF_CLASS} {which}"
    else:
        metrics["balanced_accuracy"] = balanced_accuracy_and_f1(confusion)["balanced_accuracy"]
    gap = mean_interval(chance.double() - hit.double())
    # Where every forecast came true, or none, the spread of what may come is not seen: no interval says how sure the gap is.
    metrics["calibration_gap"] = gap if len(torch.unique(hit)) > 1 else Metric(gap.value, n=n)
    return Group(name, n, positives, lacking, metrics)


def signed_differences(one: Group, other: Group, measures: Iterable[str]) -> dict[str, Metric]:
    """Returns ``one`` minus ``other`` in each of the measures that a group has figures of."""
    return {name: signed_difference(one.metrics[name], other.metrics[name]) for name in measures if name in one.metrics}
