"""Whether a classifier treats groups of people alike: rates of each group, their differences, and what chance explains.

For two classes a group's selection rate is the share that the model calls the second class, TPR and FPR are that share among
those who are and who are not of it. Demographic parity asks for equal selection rates, equalized odds for equal TPR and equal
FPR (Hardt, Price and Srebro 2016, "Equality of opportunity in supervised learning"). They exclude each other where base rates
differ and the model is neither perfect nor blind (Chouldechova 2017, "Fair prediction with disparate impact"), so none of
them is "the" answer. For more classes each class is asked about in turn, and the largest difference counts.

What is left out: precision and predictive parity, differences to the whole instead of between groups, other thresholds.

Letters in shapes as in :mod:`dlcli.metrics.group_rates`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from dlcli.contracts import Metric, Predictions
from dlcli.metrics.group_differences import Difference, largest_difference, ratio_of
from dlcli.metrics.group_figures import FEWEST, FEWEST_OF_CLASS, Group, group_figures, signed_differences
from dlcli.metrics.group_rates import Array, Grouped, observed, resampled, shuffled, shuffled_within_classes

RESAMPLES = 2000
MOST_OPERATIONS = 10**9  # examples times groups drawn in all; beyond it there are fewer resamples
_MOST_RATES = 2 * 10**7
_LEVEL = 0.05
# Which measures a difference is the largest of; those that the true class conditions are shuffled within it.
_MEASURES = {
    "dp_difference": ("selection_rate",),
    "equalized_odds_difference": ("tpr", "fpr"),
    "tpr_difference": ("tpr",),
    "fpr_difference": ("fpr",),
    "accuracy_difference": ("accuracy",),
    "auroc_gap": ("auroc",),
    "calibration_gap": ("calibration_gap",),
}
_GIVEN_CLASS = ("tpr", "fpr", "auroc")
# What is worth a warning: the four-fifths rule of US agencies (1978) for the ratio, conventions for the others.
BOUNDS = {
    "dp_ratio": 0.8,
    "dp_difference": 0.10,
    "equalized_odds_difference": 0.10,
    "accuracy_difference": 0.10,
    "auroc_gap": 0.05,
    "calibration_gap": 0.05,
}


@dataclass(frozen=True)
class ColumnReport:
    """What came of one column.

    Args:
        differences: by name; NaN where fewer than two groups have enough examples.
        pairs: signed differences (first minus second) of every two groups, where both have enough.
        warnings: differences beyond their bound that chance does not explain.
        verdict: one sentence.
    """

    column: str
    groups: tuple[Group, ...]
    differences: Mapping[str, Difference]
    pairs: tuple[tuple[str, str, Mapping[str, Metric]], ...]
    warnings: tuple[str, ...]
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for ``groups.json``."""
        return {
            "column": self.column,
            "verdict": self.verdict,
            "warnings": list(self.warnings),
            "groups": [
                {
                    "name": group.name,
                    "n": group.n,
                    "positives": group.positives,
                    "enough": not group.lacking,
                    "lacking": group.lacking or None,
                    "metrics": {name: metric.to_dict() for name, metric in group.metrics.items()},
                }
                for group in self.groups
            ],
            "differences": {name: difference.to_dict() for name, difference in self.differences.items()},
            "pairs": [
                {"groups": [one, other], "differences": {name: metric.to_dict() for name, metric in metrics.items()}}
                for one, other, metrics in self.pairs
            ],
        }


def column_report(predictions: Predictions, groups: Tensor, names: Sequence[str], *, column: str) -> ColumnReport:
    """Returns how the groups of one column fare.

    Groups below 30 examples take no part in any difference, those with fewer than 10 examples of a class (or of the others) none
    in what rests on that class: TPR, FPR, equalized odds and AUROC. A small group can still be compared by its selection rate.

    Intervals of group rates are Wilson's, DeLong's and Student's; those of differences rest on 2,000 resamples, each group
    from itself (fewer above 10⁹ operations, named in ``method``). The largest of several differences is biased upwards:
    :func:`~dlcli.metrics.group_differences.largest_difference` says how its interval allows for that. The p-values are shares of
    2,000 shufflings, (1 + count) / (1 + 2000), in which the groups differ as much or more: group labels are dealt out anew among
    all examples, for TPR, FPR, equalized odds and AUROC among those of the same true class. They test that the outcome does not
    depend on the group, and are not corrected for how many there are.

    Args:
        predictions: with calibrated logits where there is a calibration; decisions are the most likely class.
        groups: positions in ``names``, int64 (N,); -1 for an example that belongs to none.
        column: what to call it.
    """
    sample = Grouped.of(predictions, groups, len(names))
    described = tuple(group_figures(predictions, groups == number, name) for number, name in enumerate(names))
    enough = _enough(sample)
    differences = _differences(sample, names, enough)
    pairs = []
    for one in range(len(names)):
        for other in range(one + 1, len(names)):
            known = [name for name, mask in enough.items() if mask[[one, other]].any(axis=1).all()]
            found = signed_differences(described[one], described[other], known)
            if found:
                pairs.append((names[one], names[other], found))
    warnings = tuple(_warnings(differences))
    return ColumnReport(column, described, differences, tuple(pairs), warnings, _verdict(differences, warnings))


def fairness_metrics(reports: Sequence[ColumnReport]) -> dict[str, Metric]:
    """Returns ``fairness/COLUMN/NAME`` of every column and ``fairness/NAME``, the worst of the columns, for ``result.json``."""
    found: dict[str, Metric] = {}
    for report in reports:
        found |= {f"fairness/{report.column}/{name}": each.metric for name, each in report.differences.items()}
    for name in dict.fromkeys(name for report in reports for name in report.differences):
        metrics = [report.differences[name].metric for report in reports]
        known = [metric for metric in metrics if math.isfinite(metric.value)] or metrics
        worst = min if name == "dp_ratio" else max
        found[f"fairness/{name}"] = worst(known, key=lambda metric: metric.value)
    return found


def metric_names(columns: Sequence[str], *, classes: int) -> list[str]:
    """Returns the names that :func:`fairness_metrics` will use."""
    names = [name for name in ("dp_ratio", *_MEASURES) if classes == 2 or name not in _TWO_CLASSES]
    return [f"fairness/{name}" for name in names] + [f"fairness/{column}/{name}" for column in columns for name in names]


_TWO_CLASSES = ("dp_ratio", "tpr_difference", "fpr_difference", "auroc_gap")


def _enough(sample: Grouped) -> dict[str, Array]:
    """Which groups take part in which measure, bool (G, C)."""
    size = sample.sizes.sum(axis=1)
    large = (size >= FEWEST)[:, None]
    of_class = sample.sizes[:, list(sample.asked)]
    full = large & (of_class >= FEWEST_OF_CLASS) & (size[:, None] - of_class >= FEWEST_OF_CLASS)
    asked = np.ones((1, len(sample.asked)), dtype=bool)
    known = {"selection_rate": large & asked, "tpr": full, "fpr": full, "accuracy": large, "calibration_gap": large}
    return {**known, "auroc": full} if sample.rank is not None else known


def _differences(sample: Grouped, names: Sequence[str], enough: Mapping[str, Array]) -> dict[str, Difference]:
    count = _resamples(sample)
    method = "bootstrap" if count == RESAMPLES else f"bootstrap of {count}"
    large = np.flatnonzero(enough["accuracy"].any(axis=1)).tolist()
    # Of two classes what rests on a class is shuffled among the groups that have enough of it, and no others.
    given = np.flatnonzero(enough["tpr"].any(axis=1)).tolist() if sample.classes == 2 else large
    values, drawn = observed(sample), resampled(sample.only(large), count)
    dealt, dealt_in_classes = shuffled(sample.only(large), count), shuffled_within_classes(sample.only(given), count)
    sizes = sample.sizes.sum(axis=1)
    found: dict[str, Difference] = {}
    for name, measures in _MEASURES.items():
        if any(measure not in enough for measure in measures) or (sample.classes > 2 and name in _TWO_CLASSES):
            continue
        chance = dealt_in_classes if measures[0] in _GIVEN_CLASS else dealt
        found[name] = largest_difference(
            {measure: values[measure][0] for measure in measures},
            {measure: drawn[measure] for measure in measures},
            {measure: chance[measure] for measure in measures},
            enough={measure: enough[measure] for measure in measures},
            names=names,
            sizes=sizes,
            method=method,
        )
    if sample.classes == 2:
        ratio = ratio_of(
            found["dp_difference"], values["selection_rate"][0, :, 0], drawn["selection_rate"][:, :, 0], names=names, sizes=sizes
        )
        found = {"dp_difference": found.pop("dp_difference"), "dp_ratio": ratio, **found}
    return found


def _resamples(sample: Grouped) -> int:
    groups, classes = map(int, sample.sizes.shape)
    rates = groups**2 * (classes if classes > 2 else 1)
    return max(20, min(RESAMPLES, MOST_OPERATIONS // max(len(sample.truth) * groups, 1), _MOST_RATES // rates))


def _warnings(differences: Mapping[str, Difference]) -> list[str]:
    found = []
    for name, bound in BOUNDS.items():
        if name not in differences:
            continue
        difference = differences[name]
        beyond = difference.metric.value < bound if name == "dp_ratio" else difference.metric.value > bound
        if beyond and difference.p is not None and difference.p < _LEVEL:
            sign = "<" if name == "dp_ratio" else ">"
            high, low = difference.between or ("", "")
            found.append(f"{name} {difference.metric.value:.3f} {sign} {bound:g}, p = {difference.p:.2g}: {high} above {low}")
    return found


def _verdict(differences: Mapping[str, Difference], warnings: Sequence[str]) -> str:
    unknown = [name for name, difference in differences.items() if not math.isfinite(difference.metric.value)]
    if len(unknown) == len(differences):
        return f"insufficient data: fewer than two groups have {FEWEST} examples"
    left = f"; insufficient data for {', '.join(unknown)}" if unknown else ""
    if warnings:
        return f"differs beyond chance in {', '.join(text.split(' ', 1)[0] for text in warnings)}{left}"
    return f"no difference beyond the bounds that chance does not explain{left}"
