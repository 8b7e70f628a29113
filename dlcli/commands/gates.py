"""``--fail-on``: bounds are read and checked before the work, and end the command in 1 after everything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from dlcli.commands.groups import GroupsAsked
from dlcli.commands.measure import measured
from dlcli.commands.subject import Subject
from dlcli.config.schema import EvaluateSettings
from dlcli.contracts import Metric, Predictions
from dlcli.errors import GateError
from dlcli.metrics.fairness import metric_names
from dlcli.metrics.gates import Gate, check_gates, parse_gates, violations


def read_gates(settings: EvaluateSettings, subject: Subject, groups: GroupsAsked | None) -> tuple[Gate, ...]:
    """Returns the bounds of ``--fail-on``, none without it. Raises UsageError, also where a metric has no such name.

    Metrics of an attack, and of a model without the groups' columns, are known by name only once they are there: a bound on one
    that there is not is tripped.
    """
    if settings.fail_on is None:
        return ()
    gates = parse_gates(settings.fail_on)
    later: tuple[str, ...] = ("attack/",) if settings.attack is not None else ()
    later += (f"{settings.split}/without_groups/", "fairness/without/") if settings.without_groups else ()
    check_gates([gate for gate in gates if not gate.name.startswith(later)], _names(settings, subject, groups))
    return gates


def stop_at_gates(gates: Sequence[Gate], metrics: Mapping[str, Metric]) -> None:
    """Raises GateError with a line for each bound that is tripped."""
    found = violations(gates, metrics)
    if found:
        raise GateError("\n".join(found))


def _names(settings: EvaluateSettings, subject: Subject, groups: GroupsAsked | None) -> list[str]:
    """The metrics that there will be, by those of a few examples, one of each class."""
    loaded = subject.loaded
    classes = loaded.model.spec.classes
    numbers = torch.arange(len(classes))
    example = Predictions(torch.eye(len(classes)), numbers, numbers)
    names = list(measured(example, classes, split=settings.split, stored=loaded.checkpoint.calibration).metrics)
    columns = [] if groups is None else [each.column for each in groups.memberships]
    return names + (metric_names(columns, classes=len(classes)) if columns else [])
