"""The end of a sweep: one table and one overlaid picture over its trials."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dlcli.commands.console import Talk
from dlcli.config.invocation import Invocation
from dlcli.contracts import Metric
from dlcli.metrics.intervals import mean_interval
from dlcli.report import plots, terminal
from dlcli.report.arms import arm_curves, response_plot
from dlcli.report.text import safe
from dlcli.runs.find import RunInfo, list_runs
from dlcli.runs.folder import write_file_atomically
from dlcli.runs.run import runs_root

_LEVELS = 3
_MAIN = ("test/accuracy", "cv/accuracy", "train/accuracy", "attack/robust_accuracy", "explain/accuracy")


@contextmanager
def concluding(invocation: Invocation) -> Iterator[None]:
    """Runs a sweep, then sums up whatever trials there are, also where one of them failed."""
    failure: Exception | None = None
    try:
        yield
    except Exception as error:  # noqa: BLE001 - raised again once the other trials are summed up
        failure = error
    trials = sorted(
        (run for run in list_runs(verbs=(invocation.verb,)) if run.information.get("sweep") == invocation.sweep),
        key=lambda run: int(run.information.get("trial") or 0),
    )
    if trials:
        conclude(invocation, trials)
    if failure is not None:
        raise failure


def conclude(invocation: Invocation, trials: list[RunInfo]) -> None:
    """Prints the table, and writes ``sweep.json`` and ``curves.png`` beside each other in the sweep's folder.

    Where a number was swept over three values or more, ``response.png`` shows what it does.
    """
    talk = Talk(quiet=invocation.quiet, about=invocation)
    arms: dict[str, list[RunInfo]] = defaultdict(list)
    for run in trials:
        arms[_arm(run, trials)].append(run)
    name = next((metric for metric in _MAIN if any(run.result and metric in run.result.metrics for run in trials)), _MAIN[0])
    folder = runs_root() / "sweeps" / str(invocation.sweep)
    rows = {arm: _summary(runs, name) for arm, runs in arms.items()}
    content = {
        "schema": 1,
        "sweep": invocation.sweep,
        "verb": invocation.verb,
        "metric": name,
        "arms": {arm: {"runs": [run.id for run in arms[arm]], **metric.to_dict()} for arm, metric in rows.items()},
    }
    write_file_atomically(folder / "sweep.json", (json.dumps(content, indent=1) + "\n").encode())
    talk.show(_table(name, arms, rows))
    curves = {_label(arm, run, arms[arm]): _lines(run) for arm in arms for run in arms[arm]}
    if any(curves.values()):
        write_file_atomically(folder / "curves.png", _overlaid(arms, curves))
        points = {label: _points(lines) for label, lines in curves.items()}
        talk.picture(terminal.curve(points, width=min(talk.console.width, 80), x_label="step"))
    response = _response(arms, name)
    if response is not None:
        write_file_atomically(folder / "response.png", response)
    talk.line(f"sweep: {folder}")
    talk.next_commands()


def _overlaid(arms: Mapping[str, list[RunInfo]], curves: Mapping[str, list[dict[str, Any]]]) -> bytes:
    """Arms with repeats as their means, train beside val; single runs as they are."""
    if max(map(len, arms.values())) > 1 and len(arms) > 1:
        return arm_curves({arm: [_lines(run) for run in runs] for arm, runs in arms.items()}, band=mean_interval)
    return plots.overlaid_curves(curves, split="val", name="accuracy")


def _response(arms: Mapping[str, list[RunInfo]], name: str) -> bytes | None:
    """A share against the one number that was swept, a line for each setting of the rest; None where there is none."""
    settings = {arm: dict(part.split("=", 1) for part in arm.split() if "=" in part) for arm in arms}
    keys = [key for key in next(iter(settings.values())) if len({own.get(key) for own in settings.values()}) >= _LEVELS]
    swept = next((key for key in keys if all(_is_number(own.get(key, "")) for own in settings.values())), None)
    if swept is None or not name.endswith("accuracy"):
        return None
    lanes: dict[str, dict[float, list[float]]] = defaultdict(dict)
    for arm, runs in arms.items():
        rest = " ".join(f"{key}={value}" for key, value in settings[arm].items() if key != swept)
        values = [run.result.value(name) for run in runs if run.result is not None and name in run.result.metrics]
        if values:
            lanes[rest or name][float(settings[arm][swept])] = values
    return response_plot(lanes, x_label=swept, title=name, band=mean_interval) if lanes else None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _arm(run: RunInfo, trials: list[RunInfo]) -> str:
    """What sets a trial apart: the overrides that not all trials share, the seed left out."""
    own = [override for override in run.information.get("overrides", []) if not override.startswith("seed=")]
    shared = set.intersection(*(set(other.information.get("overrides", [])) for other in trials))
    return " ".join(override for override in own if override not in shared) or run.name


def _label(arm: str, run: RunInfo, runs: list[RunInfo]) -> str:
    if len(runs) == 1:
        return arm
    seed = next((override for override in run.information.get("overrides", []) if override.startswith("seed=")), run.id[-6:])
    return f"{arm} · {seed}"


def _summary(runs: list[RunInfo], name: str) -> Metric:
    values = [run.result.value(name) for run in runs if run.result is not None and name in run.result.metrics]
    return mean_interval(values) if values else Metric(float("nan"))


def _table(name: str, arms: Mapping[str, list[RunInfo]], rows: Mapping[str, Metric]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("trials", name, "each", "failed"):
        table.add_column(column, justify="left" if column in {"trials", "each"} else "right")
    for arm, runs in arms.items():
        metric = rows[arm]
        values = [run.result.value(name) for run in runs if run.result is not None and name in run.result.metrics]
        shown = terminal.interval(metric) if metric.value == metric.value else "–"
        failed = sum(run.result is None for run in runs)
        table.add_row(safe(arm), shown, " ".join(f"{100 * value:.2f}" for value in values), str(failed) if failed else "")
    return table


def _lines(run: RunInfo) -> list[dict[str, Any]]:
    path = run.path / "metrics.jsonl"
    whole = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in whole if line.endswith(b"\n")]


def _points(lines: list[dict[str, Any]]) -> list[tuple[float, float]]:
    return [
        (line["step"], 100 * line["value"])
        for line in lines
        if (line["split"], line["name"]) == ("val", "accuracy") and line["value"] is not None
    ]
