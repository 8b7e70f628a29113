"""The runs around a model: those that it goes on from, and those that measured it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.errors import DataError
from dlcli.runs.find import MODEL_VERBS, RunInfo, list_runs
from dlcli.runs.record import read_json
from dlcli.runs.run import runs_root

MEASURING_VERBS = ("evaluate", "attack", "explain")


@dataclass(frozen=True)
class Family:
    """The runs around one model.

    Args:
        parents: what the model goes on from, nearest first.
        missing_parent: the reference of a parent that is not a run here (``builtin:mnist``, a deleted run), or None.
        measured: finished evaluate, attack and explain runs of the model, newest first.
        descendants: models that go on from this one, newest first.
        unusable: runs of the model that are not finished or cannot be read.
    """

    parents: tuple[RunInfo, ...]
    missing_parent: str | None
    measured: tuple[RunInfo, ...]
    descendants: tuple[RunInfo, ...]
    unusable: tuple[RunInfo, ...]


def family_of(model: RunInfo) -> Family:
    """Returns the family of a model's run, found in the runs folder that it lies in."""
    runs = [run for run in list_runs(_root_of(model.path)) if run.id != model.id]
    children = [run for run in runs if parent_of(run) == model.id]
    parents, missing = _parents(model, runs)
    return Family(
        parents=parents,
        missing_parent=missing,
        measured=tuple(run for run in children if run.verb in MEASURING_VERBS and run.state == "finished"),
        descendants=tuple(run for run in children if run.verb in MODEL_VERBS and run.state == "finished"),
        unusable=tuple(run for run in children if run.state != "finished"),
    )


def parent_of(run: RunInfo) -> str | None:
    """Returns what a run goes on from, also of a broken run where its ``run.json`` still says so."""
    information = run.information
    if not information:
        with contextlib.suppress(DataError, OSError):
            information = read_json(run.path / "run.json")
    parent = information.get("parent")
    return parent if isinstance(parent, str) else None


def _parents(model: RunInfo, runs: Sequence[RunInfo]) -> tuple[tuple[RunInfo, ...], str | None]:
    by_id = {run.id: run for run in runs}
    found: list[RunInfo] = []
    wanted = parent_of(model)
    while wanted is not None:
        run = by_id.pop(wanted, None)  # popped, so that a circle of parents ends
        if run is None:
            return tuple(found), wanted
        found.append(run)
        wanted = parent_of(run)
    return tuple(found), None


def _root_of(path: Path) -> Path:
    """The runs folder that a run lies in; of one that was copied elsewhere, the current one: the disk is not searched."""
    verb = path.parent.parent
    return verb.parent if verb.name in (*MODEL_VERBS, *MEASURING_VERBS) else runs_root()
