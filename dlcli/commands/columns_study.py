"""``dl explain columns``: what each column of a table weighs, for all rows and for groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed, class_logits
from dlcli.commands.explain_files import joined
from dlcli.commands.explain_study import Findings, Scene, refuse_kind
from dlcli.commands.models import data_source
from dlcli.contracts import Metric, Split
from dlcli.data.attributes import Attributes
from dlcli.data.groups import membership, parse_groups
from dlcli.engine.attribute import attribute
from dlcli.explainers.integrated_gradients import IntegratedGradients
from dlcli.metrics.importance import importance_difference, mean_importance
from dlcli.metrics.permutation import permutation_importance
from dlcli.metrics.rank_correlation import spearman
from dlcli.randomness import SampleKeys
from dlcli.report.bars import column_bars

_DRAWN = 20  # bars of a picture, at most


@dataclass(frozen=True, kw_only=True)
class ColumnImportance:
    """Mean size of a column's attribution by integrated gradients, and how much worse the model does when it is shuffled.

    Args:
        examples: of the split, with its class shares; at least 2.
        draws: shuffles of each column; at least 1.
        groups: columns, as ``dl evaluate --groups`` has them, whose groups are compared with the rest; a list, or with commas.
        shown: columns in the table; at least 1.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"
    data_kind: ClassVar[str] = "table"

    examples: int = 5000
    draws: int = 5
    groups: str | list[str] | None = None
    shown: int = 10

    def __post_init__(self) -> None:
        for name, least in (("examples", 2), ("draws", 1), ("shown", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    def __call__(self, scene: Scene) -> Findings:
        """Returns ``explain/importance/COLUMN`` in units of the logit and ``explain/permutation/COLUMN`` in nats.

        Raises:
            UsageError: no table, or ``groups`` names no column of it.
        """
        refuse_kind(scene, "columns", "table")
        rows = scene.rows(self.examples)
        split, spec = scene.subject.split.select(rows), scene.model.spec
        names = [column.name for column in spec.columns]
        maps = _attributions(scene, split)
        weights = dict(zip(names, mean_importance(maps), strict=True))
        rises = dict(zip(names, _permuted(scene, split, self.draws), strict=True))
        order = sorted(names, key=lambda name: -weights[name].value)
        values = [torch.tensor([[table[name].value for name in names]]) for table in (weights, rises)]
        agreement = float(spearman(*values)[0])
        asked = ",".join(self.groups) if isinstance(self.groups, list) else self.groups
        groups = [] if asked is None else _differences(scene, rows, maps, names, asked)
        metrics = {f"explain/importance/{name}": weights[name] for name in names}
        metrics |= {f"explain/permutation/{name}": rises[name] for name in names}
        metrics["explain/importance_agreement"] = Metric(agreement, n=len(names))
        panels = {"mean |attribution| (logit)": weights, "rise of the loss when shuffled (nats)": rises}
        title = f"{spec.name}: columns by weight, 95 % intervals"
        return Findings(
            metrics=metrics,
            arrays={"attributions": maps, "index": _whole(split).index.cpu(), **_arrays(groups)},
            pictures={"columns": column_bars(panels, order[:_DRAWN], title=title)},
            tables=[("what each column weighs", _table(order[: self.shown], weights, rises)), *_group_tables(groups, self.shown)],
            words=_words(order, rises, agreement, len(split), groups),
            following=(
                ("dl explain counterfactual", "what would have to change, for each person"),
                ("dl evaluate --groups COLUMN", "who is served worse"),
            ),
        )


def _whole(split: Split) -> Any:
    return next(iter(split.batches(torch.arange(len(split)), len(split))))


def _attributions(scene: Scene, split: Split) -> Tensor:
    """For the second of two classes, else for the predicted one; signed, (N, D)."""

    def explained(chances: Tensor, _targets: Tensor) -> Tensor:
        return torch.ones_like(_targets) if chances.shape[1] == 2 else chances.argmax(dim=1)

    explainer = IntegratedGradients()
    parts = attribute(
        scene.model, explainer, split, batch_size=scene.batch_size, seed=scene.seed, explained=explained, check=scene.check
    )
    return joined(list(parts)).maps


def _permuted(scene: Scene, split: Split, draws: int) -> list[Metric]:
    batch = _whole(split)

    def losses(cells: Tensor) -> Tensor:
        return nn.functional.cross_entropy(class_logits(scene.model(cells)), batch.targets, reduction="none")

    with borrowed(scene.model), torch.no_grad():
        keys = SampleKeys(scene.seed, batch.index)
        return permutation_importance(losses, batch.inputs, draws=draws, keys=keys, check=scene.check)


@dataclass(frozen=True)
class _Difference:
    """How much more a column weighs in a group than outside of it."""

    group: str
    column: str
    metric: Metric

    @property
    def clear(self) -> bool:
        """Its interval does not hold zero."""
        low, high = self.metric.low, self.metric.high
        return low is not None and high is not None and not low <= 0 <= high


def _differences(scene: Scene, rows: Tensor, maps: Tensor, names: Sequence[str], asked: str) -> list[_Difference]:
    subject = scene.subject
    source = data_source(subject.loaded.data, source=subject.loaded.reference)
    everyone = subject.split.targets.cpu()
    attributes = Attributes.of(source, scene.split, index=torch.arange(len(everyone)), targets=everyone)
    found = []
    for grouping in parse_groups(asked, attributes.columns):
        groups = membership(grouping, attributes.column)
        own = groups.groups[rows.cpu()]
        for place, group in enumerate(groups.names):
            members = own == place
            if members.any() and not members.all():
                gaps = importance_difference(maps, members)
                label = f"{groups.column} {group}"
                found += [_Difference(label, name, gap) for name, gap in zip(names, gaps, strict=True)]
    return found


def _arrays(found: Sequence[_Difference]) -> dict[str, Any]:
    """Every difference with its bounds, and what it is of; nothing without groups."""
    values = [[one.metric.value, one.metric.low, one.metric.high] for one in found]
    return {"differences": values, "difference_of": [[one.group, one.column] for one in found]} if found else {}


def _table(order: Sequence[str], weights: dict[str, Metric], rises: dict[str, Metric]) -> list[list[str]]:
    header = ["column", "mean |attribution|", "rise of the loss when shuffled"]
    return [header, *([name, _cell(weights[name]), _cell(rises[name])] for name in order)]


def _cell(metric: Metric) -> str:
    bounds = "" if metric.low is None or metric.high is None else f" [{metric.low:.3f}, {metric.high:.3f}]"
    return f"{metric.value:.3f}{bounds}"


def _group_tables(found: Sequence[_Difference], shown: int) -> list[tuple[str, list[list[str]]]]:
    clear = sorted((one for one in found if one.clear), key=lambda one: -abs(one.metric.value))
    if not clear:
        return []
    rows = [[one.group, one.column, _cell(one.metric)] for one in clear[:shown]]
    return [("groups: mean |attribution| inside less outside", [["group", "column", "weighs more by"], *rows])]


def _words(order: Sequence[str], rises: dict[str, Metric], agreement: float, n: int, groups: Sequence[_Difference]) -> list[str]:
    first = order[0]
    needed = [name for name, metric in rises.items() if (metric.low or 0) > 0]
    found = [
        f"{first} weighs most of {len(order)} columns, n = {n}; {len(needed)} are missed beyond their interval when shuffled",
        f"both orders agree to {agreement:.2f} (Spearman); where two columns say the same, shuffling one costs little",
        "what weighs in the model need not cause anything in the world",
    ]
    if groups:
        clear, chance = sum(one.clear for one in groups), len(groups) / 20
        found.insert(2, f"groups: {clear} of {len(groups)} differences exclude zero; chance alone gives about {chance:.0f}")
    return found
