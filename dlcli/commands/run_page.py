"""``dl runs show RUN``: everything that a run says about itself. No torch; Hydra only to know the defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcli.commands.run_diff import flat, stored_config
from dlcli.config.catalog import WORD_GROUPS, entries
from dlcli.errors import DataError, UsageError
from dlcli.report.text import safe
from dlcli.runs.compare import ancestors, changed, children, data_digest
from dlcli.runs.find import RunInfo, find_model, find_run, list_runs
from dlcli.runs.record import read_json
from dlcli.runs.run import checkpoint_names, runs_root

_TAIL_LINES, _TAIL_BYTES = 8, 8192
_SHIPPED = ("builtin:", "pretrained:")


def find_any(reference: str) -> RunInfo | Path:
    """Returns the run, or the folder of the sweep, that a word names: ``latest``, a name, the start of an id, or a path.

    Raises UsageError where nothing or more than one fits, DataError where the run cannot be read.
    """
    if reference.startswith(_SHIPPED):
        raise UsageError(f"{reference} is a model, not a run", hint=f"dl evaluate --run {reference}")
    if reference == "latest":
        newest = find_model("latest")
        assert isinstance(newest, RunInfo)
        return newest
    sweeps = [path for path in _sweeps() if path.name == reference]
    if sweeps:
        return sweeps[0]
    try:
        run = find_run(reference)
    except UsageError:
        starting = [path for path in _sweeps() if path.name.startswith(reference)]
        if len(starting) != 1 or not reference or any(run.id.startswith(reference) for run in list_runs()):
            raise
        return starting[0]
    if run.state == "broken":
        raise DataError(f"{run.path} is not a readable run: {run.problem}", hint="dl runs shows what is there")
    return run


def page(run: RunInfo) -> dict[str, Any]:
    """Returns all that is known of a run, plain data. Raises DataError where its configuration cannot be read."""
    own = run.information
    failure = own.get("failure") if isinstance(own.get("failure"), dict) else None
    return {
        "kind": "run",
        **_short(run),
        "path": str(run.path),
        "start": own.get("start"),
        "end": own.get("end"),
        "seconds": run.result.seconds if run.result else None,
        "command": own.get("command"),
        "parent": own.get("parent"),
        "ancestors": [_short(other) for other in ancestors(run)],
        "children": [_short(other) for other in children(run)],
        "sweep": own.get("sweep"),
        "settings": settings(run),
        "metrics": {name: dict(entry) for name, entry in run.result.metrics.items()} if run.result else {},
        "files": dict(run.result.files) if run.result else {},
        "checkpoints": checkpoint_names(run.path),
        "data_digest": data_digest(run),
        **{key: own.get(key) for key in ("versions", "git", "device", "threads", "platform", "environment")},
        "failure": failure,
        "log": log_tail(run.path) if run.state in {"failed", "interrupted"} else [],
    }


def sweep_page(folder: Path) -> dict[str, Any]:
    """Returns what a sweep came to, and its trials, plain data. Raises DataError."""
    try:
        summary = read_json(folder / "sweep.json")
    except OSError:
        summary = {}
    trials = [run for run in list_runs(folder.parent.parent) if run.information.get("sweep") == folder.name]
    trials.sort(key=lambda run: str(run.information.get("trial")).zfill(8))
    arms = summary.get("arms")
    return {
        "kind": "sweep",
        "id": folder.name,
        "path": str(folder),
        "verb": summary.get("verb") or next((run.verb for run in trials), None),
        "metric": summary.get("metric"),
        "arms": arms if isinstance(arms, dict) else {},
        "trials": [{**_short(run), "overrides": _words(run.information.get("overrides"))} for run in trials],
        "files": {path.stem: path.name for path in sorted(folder.glob("*.png"))},
    }


def settings(run: RunInfo) -> list[dict[str, Any]]:
    """Returns the settings that differ from the defaults: {"key", "value", "default"}.

    The defaults are those of the verb with the experiment, attack or explainer that was chosen. Where that is none of the
    shipped ones, its defaults are not known here, and what was typed is returned, with ``default`` "?".
    """
    typed = _words(run.information.get("overrides"))
    chosen = [text for text in typed if _shipped_word(run.verb, text)]
    elsewhere = any(text.partition("=")[0] in WORD_GROUPS.get(run.verb, ()) for text in typed if text not in chosen)
    defaults = None if elsewhere or run.verb not in WORD_GROUPS else _defaults(run.verb, chosen)
    if defaults is None:
        pairs = (text.lstrip("+").partition("=") for text in typed)
        return [{"key": key, "value": value, "default": "?"} for key, _, value in pairs]
    now = flat(stored_config(run))
    differing = changed("config", {key: value for key, value in defaults.items() if key in now}, now)
    return [{"key": change.key, "value": change.second, "default": change.first} for change in differing if not _same(change)]


def log_tail(folder: Path) -> list[str]:
    """Returns the last lines of a run's log; empty where there is none."""
    path = folder / "log.txt"
    if path.is_symlink() or not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return [safe(line) for line in lines if line.strip()][-_TAIL_LINES:]


def _defaults(verb: str, chosen: list[str]) -> dict[str, Any] | None:
    from dlcli.config.compose import COMPOSITION_ERRORS, compose  # brings Hydra, a third of a second

    try:
        return flat(compose(verb, chosen))
    except COMPOSITION_ERRORS:
        return None


def _shipped_word(verb: str, text: str) -> bool:
    """Whether an override chooses a shipped experiment, attack or explainer; only such a word of a run folder is composed."""
    group, _, name = text.partition("=")
    return group in WORD_GROUPS.get(verb, ()) and name in entries(group)


def _same(change: Any) -> bool:
    """Whether a value is the default in another spelling, as 1 and 1.0."""
    if isinstance(change.second, int | float) and isinstance(change.first, int | float):
        return bool(change.first == change.second) and isinstance(change.first, bool) == isinstance(change.second, bool)
    return False


def _words(value: Any) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def _short(run: RunInfo) -> dict[str, Any]:
    return {"id": run.id, "verb": run.verb, "name": run.name, "state": run.state}


def _sweeps() -> Iterator[Path]:
    folder = runs_root() / "sweeps"
    return (path for path in sorted(folder.glob("*")) if path.is_dir() and not path.is_symlink())


def as_words(value: Any) -> str:
    """Returns a setting's value as it could be typed."""
    return value if isinstance(value, str) else json.dumps(value)
