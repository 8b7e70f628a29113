"""``dl evaluate --groups``: how groups of people fare, in ``groups.json``, in the result and as tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Group, RenderableType

from dlcli.commands.console import Talk
from dlcli.commands.measure import Measured
from dlcli.commands.models import data_source
from dlcli.commands.signals import StopFlag
from dlcli.commands.subject import Subject
from dlcli.commands.without_groups import second_model, settings_without
from dlcli.config.build import build
from dlcli.config.schema import EvaluateSettings, TrainSettings
from dlcli.contracts import DataSource, Metric, Predictions
from dlcli.data.attributes import Attributes
from dlcli.data.folder import ImageFolder
from dlcli.data.groups import Membership, membership, parse_groups
from dlcli.data.table import Table
from dlcli.metrics.calibrated import Calibration
from dlcli.metrics.fairness import ColumnReport, column_report, fairness_metrics
from dlcli.report.group_table import beside, group_tables


@dataclass(frozen=True)
class GroupsAsked:
    """Which group each example belongs to, for each column; and how to train without the columns, where that is asked."""

    memberships: tuple[Membership, ...]
    without: TrainSettings | None = None


@dataclass(frozen=True)
class GroupReport:
    """What came of it: metrics ``fairness/…``, the content of ``groups.json``, and tables for people."""

    metrics: dict[str, Metric]
    content: bytes
    tables: RenderableType


def read_groups(settings: EvaluateSettings, subject: Subject) -> GroupsAsked | None:
    """Returns what ``--groups`` asks for, None without it; nothing is predicted or trained yet.

    Raises:
        UsageError: no such column, edges that are none, one group, or a model that cannot be trained without the columns.
        DataError, StorageError: the table or the file of attributes cannot be read.
    """
    if settings.groups is None:
        return None
    attributes = _attributes(settings, subject)
    asked = parse_groups(settings.groups, attributes.columns)
    memberships = tuple(membership(each, attributes.column) for each in asked)
    if not settings.without_groups:
        return GroupsAsked(memberships)
    columns = {factor.column: None for each in asked for factor in each.factors if factor.file is None}
    return GroupsAsked(memberships, settings_without(list(columns), settings, subject))


def group_report(
    settings: EvaluateSettings, subject: Subject, groups: GroupsAsked, found: Measured, *, flag: StopFlag, talk: Talk
) -> GroupReport:
    """Returns how the groups fare, and beside it how they fare without their columns, where that is asked."""
    spec = subject.loaded.model.spec
    positive = spec.classes[1] if len(spec.classes) == 2 else None
    reports = _reports(found.predictions, found.calibration, groups.memberships)
    columns = [report.to_dict() for report in reports]
    content: dict[str, Any] = {"schema": 1, "positive": positive, "threshold": 0.5 if positive else None, "columns": columns}
    metrics = fairness_metrics(reports)
    tables = [group_tables(columns, classes=spec.classes)]
    if groups.without is not None:
        second = second_model(groups.without, settings, subject, flag=flag, talk=talk)
        without = _reports(second.predictions, second.calibration, groups.memberships)
        content["without"] = {"dropped": list(second.dropped), "columns": [report.to_dict() for report in without]}
        own = {name.replace("fairness/", "fairness/without/", 1): metric for name, metric in fairness_metrics(without).items()}
        metrics |= {**own, **second.metrics}
        scores = {
            name.rpartition("/")[2]: (found.metrics[name.replace("/without_groups/", "/")].to_dict(), metric.to_dict())
            for name, metric in second.metrics.items()
        }
        tables.append(beside(columns, content["without"]["columns"], scores=scores))
    return GroupReport(metrics, json.dumps(content, indent=1, allow_nan=False).encode() + b"\n", Group(*tables))


def _reports(predictions: Predictions, calibration: Calibration | None, memberships: Sequence[Membership]) -> list[ColumnReport]:
    scaled = predictions if calibration is None else calibration.scaled(predictions)
    return [column_report(scaled, each.groups, each.names, column=each.column) for each in memberships]


def _attributes(settings: EvaluateSettings, subject: Subject) -> Attributes:
    """Where the examples' attributes are: in the model's own data, or in the other data that it is evaluated on."""
    part: str | None = settings.split
    if settings.data is None:
        source = data_source(subject.loaded.data, source=subject.loaded.reference)
    else:
        built = build("data", settings.data)
        assert isinstance(built, DataSource)
        source = built
        if isinstance(source, Table) or (isinstance(source, ImageFolder) and not source.has_parts):
            part = None
    index = torch.arange(len(subject.split))
    return Attributes.of(source, part, index=index, targets=subject.split.targets.cpu())
