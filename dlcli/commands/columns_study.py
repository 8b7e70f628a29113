"""``dl explain columns``: what each column of a table weighs, for all rows and for groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed, class_logits
from dlcli.commands.columns_words import Difference, csv_files, difference_arrays, group_tables, weight_table, words_of
from dlcli.commands.explain_files import joined
from dlcli.commands.explain_study import Findings, Scene, refuse_kind
from dlcli.commands.models import data_source
from dlcli.contracts import Metric, Split
from dlcli.data.attributes import Attributes
from dlcli.data.groups import Membership, membership, parse_groups
from dlcli.engine.attribute import attribute
from dlcli.errors import UsageError
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

    def check(self, scene: Scene) -> None:
        """Raises what calling it raises of names, before anything is measured."""
        refuse_kind(scene, "columns", "table")
        if len(scene.subject.split) < 2:
            raise UsageError("dl explain columns needs 2 examples or more, got 1", hint="a larger --limit")
        _memberships(scene, self.groups)

    def __call__(self, scene: Scene) -> Findings:
        """Returns ``explain/importance/COLUMN`` in units of the logit and ``explain/permutation/COLUMN`` in nats.

        Raises:
            UsageError: no table, or ``groups`` names no column of it.
        """
        self.check(scene)
        rows = scene.rows(self.examples)
        split, spec = scene.subject.split.select(rows), scene.model.spec
        names = [column.name for column in spec.columns]
        maps = _attributions(scene, split)
        weights = dict(zip(names, mean_importance(maps), strict=True))
        rises = dict(zip(names, _permuted(scene, split, self.draws), strict=True))
        order = sorted(names, key=lambda name: -weights[name].value)
        values = [torch.tensor([[table[name].value for name in names]]) for table in (weights, rises)]
        agreement = float(spearman(*values)[0])
        groups = _differences(_memberships(scene, self.groups), rows, maps, names)
        metrics = {f"explain/importance/{name}": weights[name] for name in names}
        metrics |= {f"explain/permutation/{name}": rises[name] for name in names}
        metrics["explain/importance_agreement"] = Metric(agreement, n=len(names))
        panels = {"mean |attribution| (logit)": weights, "rise of the loss when shuffled (nats)": rises}
        title = f"{spec.name}: columns by weight, 95 % intervals"
        return Findings(
            metrics=metrics,
            arrays={"attributions": maps, "index": _whole(split).index.cpu(), **difference_arrays(groups)},
            files=csv_files(names, weights, rises, groups),
            pictures={"columns": column_bars(panels, order[:_DRAWN], title=title)},
            tables=[
                ("what each column weighs", weight_table(order[: self.shown], weights, rises)),
                *group_tables(groups, self.shown),
            ],
            words=words_of(order, rises, agreement, len(split), groups),
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


def _memberships(scene: Scene, asked: str | list[str] | None) -> list[Membership]:
    """The groupings of the whole split. Raises UsageError for what names no column."""
    if asked is None:
        return []
    subject = scene.subject
    source = data_source(subject.loaded.data, source=subject.loaded.reference)
    everyone = subject.split.targets.cpu()
    attributes = Attributes.of(source, scene.split, index=torch.arange(len(everyone)), targets=everyone)
    text = ",".join(asked) if isinstance(asked, list) else asked
    return [membership(grouping, attributes.column) for grouping in parse_groups(text, attributes.columns)]


def _differences(groupings: Sequence[Membership], rows: Tensor, maps: Tensor, names: Sequence[str]) -> list[Difference]:
    """Of each group and those outside of it; of two groups the second would say the same the other way round."""
    found = []
    for groups in groupings:
        own = groups.groups[rows.cpu()]
        for place, group in enumerate(groups.names[:1] if len(groups.names) == 2 else groups.names):
            members = own == place
            if members.any() and not members.all():
                gaps = importance_difference(maps, members)
                rest = groups.names[1] if len(groups.names) == 2 else "the rest"
                label = f"{groups.column}: {group} less {rest}"
                found += [Difference(label, name, gap) for name, gap in zip(names, gaps, strict=True)]
    return found
