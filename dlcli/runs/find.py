"""Finding and listing runs: model references, unfinished runs, and what ``dl runs`` shows. Reads small JSON files only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.errors import DataError, UsageError, did_you_mean
from dlcli.runs.lock import is_locked
from dlcli.runs.record import Result, read_json, read_result
from dlcli.runs.run import checkpoint_names, runs_root

BUILTIN = "builtin:mnist"
PRETRAINED = "pretrained:"
MODEL_VERBS = ("train", "finetune")


@dataclass(frozen=True)
class RunInfo:
    """One run as it lies on disk.

    Args:
        state: "finished", "running", "interrupted", "failed" or "broken".
        information: the content of ``run.json``; empty for broken runs.
        result: of a finished run.
        problem: why a run is broken or failed.
    """

    path: Path
    state: str
    information: dict[str, Any]
    result: Result | None = None
    problem: str | None = None

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def verb(self) -> str:
        """As recorded; where nothing can be read, as the folder lies. A run may have been copied elsewhere."""
        return str(self.information.get("verb") or self.path.parent.parent.name)

    @property
    def name(self) -> str:
        """As recorded; see :attr:`verb`."""
        return str(self.information.get("name") or self.path.parent.name)

    @property
    def is_study(self) -> bool:
        """Whether it is a look at something else than a training run, which has no steps to continue."""
        return any(str(override).startswith("study/") for override in self.information.get("overrides") or [])

    @property
    def goes_on(self) -> bool:
        """Whether ``--resume`` has something to continue: a training run, an attack, or a report of several."""
        return self.verb == "attack" or (self.verb in MODEL_VERBS and not self.is_study)

    @property
    def holds_model(self) -> bool:
        """Whether later verbs may take this run as ``latest``: finished, and no dry attempt, trial or study."""
        own = self.information
        tried = own.get("fast_dev_run") or own.get("sweep")
        return self.state == "finished" and self.verb in MODEL_VERBS and not tried and bool(checkpoint_names(self.path))


def read_run(path: Path) -> RunInfo:
    """Returns what the folder at ``path`` holds; never raises for a broken run."""
    try:
        information = read_json(path / "run.json")
        if not (path / "config.yaml").is_file():
            return RunInfo(path, "broken", {}, problem="it has no config.yaml")
        if (path / "result.json").exists():
            return RunInfo(path, "finished", information, read_result(path))
    except (OSError, DataError) as error:
        return RunInfo(path, "broken", {}, problem=str(error))
    if is_locked(path):
        return RunInfo(path, "running", information)
    failure = information.get("failure")
    if isinstance(failure, dict):
        state = "interrupted" if failure.get("interrupted") else "failed"
        return RunInfo(path, state, information, problem=str(failure.get("message", "")))
    return RunInfo(path, "interrupted", information)


def list_runs(root: Path | None = None, *, verbs: tuple[str, ...] | None = None, named: str | None = None) -> Iterator[RunInfo]:
    """Yields every run below ``root``, newest first.

    Args:
        verbs: only those that lie in the folders of these verbs.
        named: only the one with this id.
    """
    base = root or runs_root()
    folders = [
        path
        for path in base.glob("*/*/*")
        if named in {None, path.name}
        and path.parent.parent.name != "sweeps"
        and not path.name.startswith(".")
        and path.is_dir()
        and not path.is_symlink()
    ]
    for path in sorted(folders, key=lambda path: path.name, reverse=True):
        if verbs is None or path.parent.parent.name in verbs:
            yield read_run(path)


def find_model(reference: str) -> RunInfo | str | None:
    """Returns the run that a model reference names; None for the shipped model, ``pretrained:NAME`` as it is.

    ``latest`` is the newest finished train or finetune run; besides, a name, a unique id prefix, a path, or a child run,
    which stands for its parent. Raises UsageError where nothing or more than one fits.
    """
    if reference == BUILTIN:
        return None
    if reference.startswith(PRETRAINED):
        return reference
    if reference.startswith("builtin:"):
        raise UsageError(f"there is no model '{reference}'{did_you_mean(reference, [BUILTIN])}", hint=f"shipped: {BUILTIN}")
    if reference == "latest":
        newest = next((run for run in list_runs(verbs=MODEL_VERBS) if run.holds_model), None)
        if newest is None:
            raise UsageError(f"no finished run with a model in {runs_root()}", hint=f"dl train mnist, or --run {BUILTIN}")
        return newest
    return _model_of(find_run(reference, prefer=lambda run: run.holds_model), seen=frozenset())


def default_model() -> tuple[RunInfo | None, bool]:
    """Returns the model of a verb without ``--run``, and whether it had to be the shipped one."""
    newest = next((run for run in list_runs(verbs=MODEL_VERBS) if run.holds_model), None)
    return newest, newest is None


def find_unfinished(verb: str, reference: str | None) -> RunInfo:
    """Returns the run of a verb that ``--resume [RUN]`` continues, which may be finished; alone, the newest unfinished one.

    Raises:
        UsageError: there is none, or it is of another verb. DataError: it is not a readable run.
    """
    if reference is not None and reference != "latest":
        found = find_run(reference, prefer=lambda run: run.verb == verb and run.state in {"interrupted", "failed"})
        if found.state == "broken":
            raise DataError(f"{found.path} is not a readable run: {found.problem}")
        if found.verb != verb:
            hint = f"dl {found.verb} --resume {found.id}" if found.goes_on else "only train, finetune and attack go on"
            raise UsageError(f"run {found.id} is a run of dl {found.verb}", hint=hint)
        return found
    for run in list_runs(verbs=(verb,)):
        if run.state in {"interrupted", "failed"} and run.goes_on:
            return run
    raise UsageError(f"no unfinished {verb} run that could go on in {runs_root()}", hint="dl runs shows what is there")


def find_run(reference: str, *, prefer: Callable[[RunInfo], bool] = lambda run: run.holds_model) -> RunInfo:
    """Returns the run at a path, with an id that starts so, or of a name: the newest preferred one, else the newest finished one.

    Raises UsageError where nothing or more than one fits.
    """
    path = Path(reference)
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or not one at all
        if path.is_dir() and (path / "run.json").exists():
            return read_run(path.resolve())
    if "/" in reference:
        raise UsageError(f"there is no run folder at '{reference}'", hint="dl runs shows what is there")
    runs = list(list_runs())
    by_name = [run for run in runs if run.name == reference]
    by_id = [run for run in runs if run.id == reference or (run.id.startswith(reference) and not by_name)]
    if len(by_id) > 1:
        some = ", ".join(run.id for run in by_id[:3])
        raise UsageError(f"'{reference}' fits {len(by_id)} runs: {some}", hint="give more of the id")
    if by_id:
        return by_id[0]
    if by_name:
        finished = [run for run in by_name if run.state == "finished"]
        return ([run for run in by_name if prefer(run)] or finished or by_name)[0]
    known = {run.name for run in runs} | {run.id for run in runs}
    there = ", ".join(dict.fromkeys(run.name for run in runs)) or "none yet"
    raise UsageError(
        f"there is no run '{reference}'{did_you_mean(reference, known)}", hint=f"runs by name: {there}; dl runs lists them"
    )


def _model_of(run: RunInfo, *, seen: frozenset[str]) -> RunInfo | str | None:
    """The run itself, or the parent that a child stands for; ``seen`` are the children on the way, against circles."""
    if run.state == "broken":
        raise DataError(f"{run.path} is not a readable run: {run.problem}")
    if run.verb in MODEL_VERBS:
        if not checkpoint_names(run.path):
            kept = "keeps no model" if run.state == "finished" else "holds no checkpoint yet"
            raise UsageError(f"run {run.id} is {run.state} and {kept}", hint="dl runs shows finished runs")
        return run
    parent = str(run.information.get("parent"))
    if parent == BUILTIN:
        return None
    if parent.startswith(PRETRAINED):
        return parent
    for candidate in list_runs(run.path.parent.parent.parent, named=parent):
        if candidate.id not in seen:
            return _model_of(candidate, seen=seen | {run.id})
    raise UsageError(f"run {run.id} has parent '{parent}', which is not there any more", hint="dl runs shows what is there")
