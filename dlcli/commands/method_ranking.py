"""Methods of explanation ranked by the evidence for their maps, and how far they agree."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from dlcli.commands.explain_files import joined
from dlcli.commands.explain_methods import Method
from dlcli.commands.explain_trust import Weighing
from dlcli.commands.subject import Subject
from dlcli.contracts import Metric
from dlcli.engine.attribute import ExplainReport, attribute
from dlcli.metrics.faithfulness import Faithfulness
from dlcli.metrics.intervals import mean_interval, wilson
from dlcli.metrics.paired import paired_difference
from dlcli.metrics.rank_correlation import pairwise_spearman, spearman
from dlcli.metrics.trust import Evidence, Verdict, calibrated_bar, passes, verdicts

_EXPLAINED = 3  # methods without a supported map that get a line each, at most


@dataclass(frozen=True, eq=False)
class Ranked:
    """A method with what is known of its N maps.

    Args:
        faith: areas of its maps, the first column, and of maps that know nothing.
        false_trust: of its maps of the same network without training: how many would be supported, and how many there are.
    """

    method: Method
    report: ExplainReport
    faith: Faithfulness
    verdicts: Sequence[Verdict]
    false_trust: tuple[int, int]

    @property
    def supported(self) -> Tensor:
        """Which maps are, bool (N,)."""
        return torch.tensor([verdict.word == "supported" for verdict in self.verdicts])

    @property
    def share(self) -> Metric:
        return wilson(int(self.supported.sum()), len(self.verdicts))

    @property
    def mostly(self) -> str:
        """The most frequent reason of its verdicts; of equally frequent ones the first."""
        reasons = [verdict.reason for verdict in self.verdicts]
        return max(dict.fromkeys(reasons), key=reasons.count)

    @property
    def percentile(self) -> Metric:
        """Mean share of maps that know nothing which a map beats."""
        return mean_interval(self.faith.percentile())


def ranked(
    methods: Sequence[Method], subject: Subject, *, batch_size: int, seed: int, steps: int, check: Callable[[], None]
) -> list[Ranked]:
    """Returns the methods by the share of their maps that is supported, then by what they beat, then by what they cost.

    All are weighed beside the same maps that know nothing, and on the same network with new weights; see
    :mod:`dlcli.metrics.trust`.
    """
    weighings = [Weighing(subject, method.explainer, batch_size=batch_size, seed=seed, check=check) for method in methods]
    model = subject.loaded.model
    reports = [
        joined(list(attribute(model, method.explainer, subject.split, batch_size=batch_size, seed=seed, check=check)))
        for method in methods
    ]
    twin, pairs = weighings[0].of_twin(seed + 1), list(zip(weighings, reports, strict=True))
    new = [replace(weighing, subject=twin.subject).maps(report.explained) for weighing, report in pairs]
    own = weighings[0].faith(reports[0], torch.stack([report.maps for report in reports], dim=1), steps=steps)
    null = twin.faith(reports[0], torch.stack(new, dim=1), steps=steps)
    found = []
    for place, (weighing, report) in enumerate(pairs):
        faith, without = (_of_one(areas, place, len(methods)) for areas in (own, null))
        same = spearman(report.maps.abs(), new[place].abs())
        contrast = weighing.contrast(model, report)
        bar = calibrated_bar(without.percentile(), without.margin())
        false = passes(without.percentile(), without.margin(), bar)
        evidence = Evidence(faith.percentile(), faith.margin(), same, report.empty, contrast)
        found.append(Ranked(methods[place], report, faith, verdicts(evidence, bar), (int(false.sum()), len(false))))
    return sorted(found, key=lambda one: (-one.share.value, -one.percentile.value, one.method.passes, one.method.name))


def _of_one(areas: Faithfulness, place: int, count: int) -> Faithfulness:
    """The columns of one method and of the maps that know nothing."""
    insertion, deletion = (
        torch.cat([part[:, place : place + 1], part[:, count:]], dim=1) for part in (areas.insertion, areas.deletion)
    )
    return Faithfulness(insertion, deletion)


def agreement(found: Sequence[Ranked]) -> Tensor:
    """Returns the rank correlations of the methods' signed maps for each image, float32 (N, M, M)."""
    return pairwise_spearman(torch.stack([one.report.maps.flatten(1) for one in found]))


def ranking_metrics(found: Sequence[Ranked], agreeing: Tensor) -> dict[str, Metric]:
    """Returns the figures of a run; ``agreeing`` is what :func:`agreement` gave."""
    metrics = {f"explain/supported/{one.method.name}": one.share for one in found}
    metrics |= {f"explain/percentile/{one.method.name}": one.percentile for one in found}
    metrics |= {f"explain/false_trust_rate/{one.method.name}": wilson(*one.false_trust) for one in found}
    return metrics if len(found) < 2 else {**metrics, "explain/agreement": mean_interval(_beside(agreeing).mean(dim=1))}


def _beside(agreeing: Tensor) -> Tensor:
    """What stands above the diagonal, (N, M (M - 1) / 2)."""
    above = torch.triu_indices(agreeing.shape[1], agreeing.shape[1], offset=1)
    return agreeing[:, above[0], above[1]]


def ranking_table(found: Sequence[Ranked]) -> list[list[str]]:
    """Returns a row for each method, the header first."""
    header = ["method", "supported", "beats of null maps", "insertion", "deletion", "false trust", "passes a map", "ms a map"]
    rows = []
    for place, one in enumerate(found, start=1):
        share, beats = one.share, one.percentile
        insertion, deletion = (float(area[:, 0].mean()) for area in (one.faith.insertion, one.faith.deletion))
        rows.append(
            [
                f"{place}. {one.method.name}",
                f"{int(one.supported.sum())} of {len(one.verdicts)} {_percent(share)}",
                f"{100 * beats.value:.0f} %",
                f"{insertion:.2f}",
                f"{deletion:.2f}",
                f"{one.false_trust[0]} of {one.false_trust[1]}",
                str(one.method.passes),
                f"{1000 * one.method.seconds:.0f}",
            ]
        )
    return [header, *rows]


def _percent(metric: Metric) -> str:
    return "" if metric.low is None or metric.high is None else f"[{100 * metric.low:.0f}, {100 * metric.high:.0f}] %"


def ranking_words(found: Sequence[Ranked], agreeing: Tensor, left_out: Mapping[str, str]) -> list[str]:
    """Returns what people read, one line each.

    Args:
        left_out: names of methods, and why.
    """
    best = found[0]
    lines = [f"best by the evidence: {best.method.name}, {best.share.value:.0%} of its maps supported" + _lead(found)]
    if not best.supported.any():
        lines = ["no method has a supported map: none of them is to be trusted here"]
    if len(found) > 1:
        mean = agreeing.mean(dim=0)
        pairs = [(float(mean[i, j]), i, j) for i in range(len(found)) for j in range(i)]
        (low, *least), (high, *most) = min(pairs), max(pairs)
        closest, farthest = (" and ".join(found[place].method.name for place in sorted(pair)) for pair in (most, least))
        whole = mean_interval(_beside(agreeing).mean(dim=1))
        bounds = "" if whole.low is None or whole.high is None else f" [{whole.low:.2f}, {whole.high:.2f}]"
        ends = f": most {closest} ({high:.2f}), least {farthest} ({low:.2f})" if len(found) > 2 else ""
        lines.append(f"the methods' maps correlate by {whole.value:.2f}{bounds}{ends}")
    bare = [one for one in found if not one.supported.any()]
    if len(bare) > _EXPLAINED:
        lines.append(f"without a supported map: {', '.join(one.method.name for one in bare)}; ranking.csv says why")
    else:
        lines += [f"{one.method.name} has no supported map, mostly: {one.mostly}" for one in bare]
    lines += [f"left out: {named_reason(name, why)}" for name, why in left_out.items()]
    return [*lines, "the evidence is necessary, not sufficient, and the first of many looks better than it is"]


def named_reason(name: str, why: str) -> str:
    """Returns why a method was left out, with its name once."""
    return why if why.startswith(name) else f"{name}: {why}"


def _lead(found: Sequence[Ranked]) -> str:
    if len(found) < 2:
        return ""
    gap = paired_difference(found[1].supported, found[0].supported)
    assert gap.low is not None and gap.high is not None
    told = f"; {100 * gap.value:+.0f} [{100 * gap.low:.0f}, {100 * gap.high:.0f}] points on {found[1].method.name}"
    return told + ("" if gap.low > 0 else ", which may be chance")


def ranking_csv(found: Sequence[Ranked]) -> bytes:
    """Returns a row for each method."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    areas = ("insertion", "deletion")
    writer.writerow(["method", "supported", "n", "percentile", "margin", *areas, "false_trust", "passes_a_map", "mostly"])
    for one in found:
        values: list[Any] = [float(part.mean()) for part in (one.faith.percentile(), one.faith.margin())]
        values += [float(getattr(one.faith, area)[:, 0].mean()) for area in areas]
        numbers = [f"{value:.6f}" for value in values]
        writer.writerow(
            [
                one.method.name,
                int(one.supported.sum()),
                len(one.verdicts),
                *numbers,
                one.false_trust[0],
                one.method.passes,
                one.mostly,
            ]
        )
    return text.getvalue().encode()
