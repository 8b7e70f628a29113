"""``--fail-on``: bounds on metrics which a pipeline stops at."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from dlcli.contracts import Metric
from dlcli.errors import UsageError, did_you_mean

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": lambda value, bound: value >= bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    "<": lambda value, bound: value < bound,
}
_EXAMPLE = "--fail-on 'fairness/dp_difference>0.1,test/accuracy<0.9'"


@dataclass(frozen=True)
class Gate:
    """What must not be: a metric on the wrong side of a bound, as in ``fairness/dp_difference>0.1``."""

    name: str
    operator: str
    bound: float

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.bound:g}"


def parse_gates(text: str) -> tuple[Gate, ...]:
    """Returns the gates of ``METRIC>NUMBER`` with commas between them; also ``>=``, ``<`` and ``<=``.

    Raises:
        UsageError: one has no operator, no name, or a bound that is no finite number.
    """
    return tuple(_gate(part.strip()) for part in text.split(","))


def check_gates(gates: Sequence[Gate], known: Collection[str]) -> None:
    """Raises UsageError where a gate names a metric that is not among ``known``."""
    for gate in gates:
        if gate.name in known:
            continue
        near = did_you_mean(gate.name, known)
        hint = "--groups COLUMN makes the fairness metrics" if gate.name.startswith("fairness/") and not near else None
        if gate.name.startswith("attack/") and not near:
            hint = "--attack NAME makes the attack metrics"
        expected = near or "; the result.json of a run lists the names"
        raise UsageError(f"--fail-on {gate}: there is no metric '{gate.name}'{expected}", hint=hint)


def violations(gates: Sequence[Gate], metrics: Mapping[str, Metric]) -> tuple[str, ...]:
    """Returns a line for each gate that its metric trips, with value, interval and bound; what is not known trips it too."""
    found = []
    for gate in gates:
        metric = metrics.get(gate.name)
        if metric is None or not math.isfinite(metric.value):
            found.append(f"{gate}: {gate.name} has no value, so nobody knows that it holds")
        elif _HOLDS[gate.operator](metric.value, gate.bound):
            between = "" if metric.low is None or metric.high is None else f" [{metric.low:.4g}, {metric.high:.4g}]"
            found.append(f"{gate}: {gate.name} is {metric.value:.4g}{between}")
    return tuple(found)


def _gate(text: str) -> Gate:
    match = re.fullmatch(r"\s*(?P<name>[^<>=]*?)\s*(?P<operator>[<>]=?|=+)?\s*(?P<bound>[^<>=]*)", text)
    if match is None or match["operator"] not in _HOLDS or not match["name"]:
        what = "names no metric" if match and not match["name"] else "has no comparison of one metric with one number"
        raise UsageError(f"--fail-on {text or repr(text)} {what}; expected > >= < or <= between them", hint=_EXAMPLE)
    try:
        bound = float(match["bound"])
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise UsageError(f"--fail-on {text}: '{match['bound']}' is no number to compare with", hint=_EXAMPLE)
    return Gate(match["name"], match["operator"], bound)
