"""From run folders, which may be somebody else's, to what a report is made of. What cannot be read is named, not fatal."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcli.config.stored import read_stored
from dlcli.errors import DataError, DlcliError
from dlcli.report.dossier import Dossier, Evidence, Shot
from dlcli.report.embed import embed
from dlcli.report.text import shorten
from dlcli.runs.enclosed import read_enclosed
from dlcli.runs.family import MEASURING_VERBS, Family, family_of
from dlcli.runs.find import RunInfo
from dlcli.runs.run import checkpoint_names

_LARGEST_PICTURE = 20_000_000  # bytes on disk
_LARGEST_RECORD = 4_000_000
_LARGEST_CONFIG = 1_000_000
_MOST_FILES = 40  # of one run
_MOST_RUNS = 12  # of one verb
# Overrides of a verb that change how it computes, not what is asked.
_HOW = ("run=", "batch_size=", "device=", "workers=", "name=", "seed=")
# What the embedded pictures of a page may weigh; a third more as text. The page stays below 5 MB.
_WEIGHT = 3_300_000


class Gatherer:
    """Reads runs for one report; the pictures of those that are read first have precedence.

    Args:
        beside: the folder that the Markdown file will lie in, from which its pictures are linked.
    """

    def __init__(self, beside: Path) -> None:
        self._beside = beside.resolve()
        self._left = _WEIGHT

    def evidence(self, run: RunInfo, *, with_pictures: bool = True) -> Evidence:
        """Returns what a finished run recorded, measured and drew."""
        assert run.result is not None
        remarks: list[str] = []
        config_text = self._text(run, "config.yaml", limit=_LARGEST_CONFIG, remarks=remarks)
        files = dict(list(run.result.files.items())[:_MOST_FILES])
        if len(files) < len(run.result.files):
            remarks.append(f"only the first {_MOST_FILES} of its {len(run.result.files)} files are shown")
        shots: dict[str, Shot] = {}
        for name, path in files.items():
            if with_pictures and path.lower().endswith(".png"):
                try:
                    shots[name] = self._shot(run, path)
                except (DlcliError, ValueError) as error:
                    remarks.append(f"the picture '{shorten(name, 60)}' is left out: {shorten(str(error), 160)}")
        return Evidence(
            verb=run.verb,
            name=run.name,
            id=run.id,
            seconds=run.result.seconds,
            metrics=run.result.metrics,
            information=run.information,
            config=_config(config_text, remarks),
            config_text=config_text,
            shots=shots,
            files=files,
            groups=self._groups(run, files, remarks),
            remarks=tuple(remarks),
        )

    def _shot(self, run: RunInfo, path: str) -> Shot:
        image = embed(read_enclosed(run.path, path, limit=_LARGEST_PICTURE))
        if len(image.data) > self._left:
            raise ValueError(f"the page would be larger than {_WEIGHT * 3 // 2_000_000} MB; it is at {path} of run {run.id}")
        self._left -= len(image.data)
        relative = os.path.relpath(run.path.resolve() / path, self._beside)
        return Shot(image, Path(relative).as_posix())

    def _groups(self, run: RunInfo, files: Mapping[str, str], remarks: list[str]) -> Mapping[str, Any] | None:
        if "groups" not in files:
            return None
        try:
            content = json.loads(self._text(run, files["groups"], limit=_LARGEST_RECORD, remarks=remarks) or "null")
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            remarks.append("its groups cannot be read")
            return None
        return content

    def _text(self, run: RunInfo, name: str, *, limit: int, remarks: list[str]) -> str:
        try:
            return read_enclosed(run.path, name, limit=limit).decode()
        except (DlcliError, UnicodeDecodeError) as error:
            remarks.append(shorten(str(error), 160))
            return ""


def gather(model: RunInfo, *, beside: Path, notes: Mapping[str, tuple[str, ...]]) -> Dossier:
    """Returns the dossier of a finished model, with the newest run of each kind that measured it.

    Args:
        beside: the folder that the report will lie in.
        notes: what a person wrote for the card.
    """
    family = family_of(model)
    gatherer = Gatherer(beside)
    remarks = [f"{run.verb} {run.name} {run.id} is {run.state} and left out" for run in family.unusable]
    own = gatherer.evidence(model)
    early = [run for run in family.measured if _is_before(run, model)]
    remarks += [
        f"{run.verb} {run.name} {run.id} is left out: it was made before the model's training ended, of other weights"
        for run in early
    ]
    measured = tuple(gatherer.evidence(run) for run in newest_of_each(run for run in family.measured if run not in early))
    return Dossier(
        model=own,
        state=_state(model, remarks),
        parents=tuple(gatherer.evidence(run, with_pictures=False) for run in family.parents if run.result is not None),
        missing_parent=_origin(family),
        measured=measured,
        descendants=tuple((run.verb, run.name, run.id) for run in family.descendants),
        notes=notes,
        remarks=tuple(remarks),
        made=f"Made by dl report, dlcli {importlib.metadata.version('dlcli')}, on {datetime.now(UTC):%Y-%m-%d}.",
    )


def newest_of_each(runs: Iterable[RunInfo]) -> list[RunInfo]:
    """Returns the newest run of each verb, name and question, in the order of verbs; ``runs`` come newest first.

    Runs that were asked for otherwise (a split, a limit, other data, groups, a stronger attack) stay beside each other: each
    says what the others do not.
    """
    newest: dict[tuple[object, ...], RunInfo] = {}
    for run in runs:
        assert run.result is not None
        newest.setdefault((run.verb, run.name, *_question(run)), run)
    found = list(newest.values())
    return [run for verb in MEASURING_VERBS for run in [run for run in found if run.verb == verb][:_MOST_RUNS]]


def _is_before(run: RunInfo, model: RunInfo) -> bool:
    """Whether a run began before the model's training ended, so that it measured weights of an interrupted run."""
    try:
        return datetime.fromisoformat(run.information["start"]) < datetime.fromisoformat(model.information["end"])
    except (KeyError, TypeError, ValueError):  # not recorded, or garbled
        return False


def _question(run: RunInfo) -> list[str]:
    """What a run was asked, without how it was computed."""
    overrides = run.information.get("overrides")
    asked = [str(override) for override in overrides] if isinstance(overrides, list) else []
    groups = ["groups"] if run.result is not None and "groups" in run.result.files else []
    return sorted(override for override in asked if not override.startswith(_HOW)) + groups


def _origin(family: Family) -> str | None:
    """What the lineage begins with, where that is no finished run here."""
    unfinished = next((f"{run.verb} {run.name} {run.id} ({run.state})" for run in family.parents if run.result is None), None)
    return family.missing_parent if unfinished is None else unfinished


def _config(text: str, remarks: list[str]) -> Mapping[str, Any]:
    if not text:
        return {}
    try:
        config = read_stored(text.encode(), source="config.yaml")
        repr(config)
    except DlcliError as error:
        remarks.append(shorten(error.message, 160))
    except ValueError:  # a whole number of thousands of digits, which YAML takes in base 16 and Python does not write
        remarks.append("config.yaml holds a number that is too large to be shown")
    else:
        return config
    return {}


def _state(model: RunInfo, remarks: list[str]) -> Mapping[str, Any]:
    """``state.json`` of the best checkpoint, without the parts that only a resumed run needs; no weights are read."""
    try:
        index = json.loads(read_enclosed(model.path, "checkpoints/index.json", limit=_LARGEST_RECORD))
        best = (index.get("best") or index.get("last")) if isinstance(index, dict) else None
        name = best if best in checkpoint_names(model.path) else checkpoint_names(model.path)[-1]
        state = json.loads(read_enclosed(model.path, f"checkpoints/{name}/state.json", limit=_LARGEST_RECORD))
        if isinstance(state, dict):
            return state
        raise DataError("state.json holds no mapping")
    except (DlcliError, ValueError, RecursionError, IndexError) as error:
        remarks.append(f"the checkpoint of {model.id} cannot be read: {shorten(str(error), 160)}")
        return {}
