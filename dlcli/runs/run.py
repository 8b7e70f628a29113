"""Run: one folder, locked for the life of the process that writes it; ``result.json`` comes last."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import shutil
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from dlcli.errors import DataError, Interrupted, StorageError, UsageError
from dlcli.runs import platform, record
from dlcli.runs.folder import (
    TEMPORARY,
    read_file,
    read_folder,
    remove_folder,
    remove_leftovers,
    storing,
    write_file_atomically,
    write_folder_atomically,
)
from dlcli.runs.lock import lock_run, only_maker

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CHECKPOINT = re.compile(r"step-(\d{8,})")
KEPT_CHECKPOINTS = 2
_BUFFER = 8192  # bytes of metrics.jsonl that may wait in memory


def runs_root() -> Path:
    """Returns the folder of all runs: ``$DL_RUNS``, else ``./runs``."""
    return Path(os.environ.get("DL_RUNS") or "runs")


def check_name(name: str) -> str:
    """Returns a run name that is safe as a folder. Raises UsageError."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise UsageError(
            f"'{name[:80]}' cannot be a run name; expected 1 to 64 of A-Z a-z 0-9 . _ - starting with a letter or digit",
            hint="for instance --name first_try",
        )
    return name


class Run:
    """The writer of one run folder. Use :meth:`create` or :meth:`reopen`, then :meth:`finish` or :meth:`fail`."""

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock
        self._metrics: IO[bytes] | None = None
        self.information = record.read_json(path / "run.json")

    @classmethod
    def create(cls, *, verb: str, name: str, config: bytes, information: Mapping[str, Any]) -> Run:
        """Makes ``<root>/<verb>/<name>/<id>/`` complete and locked, in one rename. Raises UsageError, StorageError."""
        parent = runs_root() / verb / check_name(name)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S.%f")[:-3]
        run_id = f"{stamp}-{secrets.token_hex(3)}"
        content = {"schema": record.SCHEMA, "id": run_id, "verb": verb, "name": name, **information}
        content |= {**record.describe_environment(), "start": record.now(), "end": None, "failure": None}
        files = {"config.yaml": config, "run.json": _json(content), "log.txt": b""}
        with only_maker(parent), contextlib.ExitStack() as undo:
            # What was left here was left by a process that died: whoever makes a run holds the parent's lock.
            remove_leftovers(parent)
            temporary = parent / f"{TEMPORARY}{run_id}"
            undo.callback(shutil.rmtree, temporary, ignore_errors=True)
            write_folder_atomically(temporary, files)
            lock = undo.enter_context(lock_run(temporary))
            with storing(parent / run_id, needed=sum(map(len, files.values()))):
                temporary.rename(parent / run_id)
                platform.sync_folder(parent)
            undo.pop_all()
        return cls(parent / run_id, lock)

    @classmethod
    def reopen(cls, path: Path) -> Run:
        """Takes an unfinished run to continue it, and clears what a killed writer left.

        Raises:
            LockedError: another process holds it. UsageError: it is finished. DataError: it is not a folder that dlcli made.
            StorageError: it cannot be written.
        """
        refuse_links(path)
        with contextlib.ExitStack() as undo:
            lock = undo.enter_context(lock_run(path))
            run = cls(path, lock)
            if (path / "result.json").exists():
                raise UsageError(f"run {run.id} is finished", hint="dl runs shows what is there")
            with storing(path):
                for folder in (path, *(entry for entry in path.iterdir() if entry.is_dir())):
                    remove_leftovers(folder)
            run._rewrite_information(end=None, failure=None)
            undo.pop_all()
        return run

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def checkpoint_folder(self) -> Path:
        """Where the checkpoints are."""
        return self.path / "checkpoints"

    def log(self, line: Mapping[str, Any]) -> None:
        """Appends one line to ``metrics.jsonl``; non-finite values become null."""
        value = line.get("value")
        finite = not isinstance(value, float) or math.isfinite(value)
        data = json.dumps({**line, "value": value if finite else None}).encode() + b"\n"
        with storing(self._metrics_path, needed=len(data)):
            self._metric_file().write(data)

    def metrics_size(self) -> int:
        """Returns the length in bytes of ``metrics.jsonl``, everything flushed to disk."""
        with storing(self._metrics_path, needed=_BUFFER):
            file = self._metric_file()
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def rewind_metrics(self, size: int) -> None:
        """Cuts ``metrics.jsonl`` back to where a checkpoint left it; what follows will be written again. Raises DataError."""
        path = self._metrics_path
        with storing(path):
            there = path.stat().st_size if path.exists() else 0
            if not 0 <= size <= there:
                raise DataError(f"{path} has {there} bytes, its checkpoint expects at least {size}")
            if there > size:
                os.truncate(path, size)

    def note(self, text: str) -> None:
        """Appends a line with the time to ``log.txt``."""
        path = self.path / "log.txt"
        with storing(path, needed=len(text)), path.open("a", encoding="utf-8") as file:
            file.write(f"{record.now()} {text}\n")

    def describe(self, **facts: Any) -> None:
        """Adds to ``run.json`` what is known only once the run's parts are there, such as the sizes of its data."""
        self._rewrite_information(**facts)

    def write(self, name: str, data: bytes) -> str:
        """Writes one file of the run, for instance ``plots/curves.png``; returns ``name``."""
        write_file_atomically(self.path / name, data)
        return name

    def save_checkpoint(self, step: int, files: Mapping[str, bytes], *, best_step: int | None) -> None:
        """Saves one checkpoint, then the index, then drops what is neither best nor among the last two up to this step.

        Where the same content is there already, only the index and the dropping are made up for. What is there of later
        steps can only be damaged, or this run would have gone on from there; it is dropped too.
        """
        folder = self.checkpoint_folder
        goal = folder / checkpoint_name(step)
        if not folder.is_dir():
            with storing(folder, needed=sum(map(len, files.values()))):
                folder.mkdir()
                platform.sync_folder(self.path)
        if not (goal.is_dir() and read_folder(goal) == files):
            write_folder_atomically(goal, files)
        names = checkpoint_names(self.path)
        best = checkpoint_name(best_step) if best_step is not None and checkpoint_name(best_step) in names else None
        write_file_atomically(folder / "index.json", _json({"best": best, "last": goal.name}))
        recent = names[: names.index(goal.name) + 1][-KEPT_CHECKPOINTS:]
        for name in names:
            if name != best and name not in recent:
                remove_folder(folder / name)

    def replace_checkpoint(self, name: str, files: Mapping[str, bytes]) -> None:
        """Writes a checkpoint that is there anew, with something added."""
        goal = self.checkpoint_folder / name
        if read_folder(goal) != files:
            write_folder_atomically(goal, files)

    def finish(self, *, seconds: float, metrics: Mapping[str, Mapping[str, Any]], files: Mapping[str, str]) -> record.Result:
        """Writes ``result.json``, which makes the run finished, and frees the lock."""
        with storing(self._metrics_path, needed=_BUFFER):
            self._close_metrics()
        self._rewrite_information(end=record.now())
        result = record.Result(
            verb=self.information["verb"],
            id=self.id,
            parent=self.information["parent"],
            seconds=seconds,
            path=self.path,
            metrics=metrics,
            files=files,
        )
        write_file_atomically(self.path / "result.json", result.to_json())
        self._lock.close()
        return result

    def fail(self, error: BaseException) -> None:
        """Records why the run ended, with the traceback in ``log.txt``, and frees the lock. Never raises."""
        reason = {
            "code": getattr(error, "code", 1),
            "message": str(error) or type(error).__name__,
            "interrupted": isinstance(error, Interrupted),
        }
        text = "".join(traceback.format_exception(error))
        # A full disk is perhaps the very reason; what still can be written is.
        with contextlib.suppress(OSError):
            self._close_metrics()
        with contextlib.suppress(StorageError):
            self.note(text)
        with contextlib.suppress(StorageError):
            self._rewrite_information(end=record.now(), failure=reason)
        self._lock.close()

    @property
    def _metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    def _metric_file(self) -> IO[bytes]:
        if self._metrics is None:
            is_new = not self._metrics_path.exists()
            self._metrics = self._metrics_path.open("ab", buffering=_BUFFER)
            if is_new:
                platform.sync_folder(self.path)
        return self._metrics

    def _close_metrics(self) -> None:
        file, self._metrics = self._metrics, None
        if file is not None:
            file.close()

    def _rewrite_information(self, **changes: Any) -> None:
        self.information |= changes
        write_file_atomically(self.path / "run.json", _json(self.information))


def checkpoint_name(step: int) -> str:
    """Returns the folder name of the checkpoint at ``step``."""
    return f"step-{step:08d}"


def checkpoint_names(path: Path) -> list[str]:
    """Returns the names of a run's checkpoints, oldest first; only whole ones have such a name."""
    found = [entry.name for entry in (path / "checkpoints").glob("step-*") if entry.is_dir() and not entry.is_symlink()]
    return sorted((name for name in found if _CHECKPOINT.fullmatch(name)), key=lambda name: int(name.removeprefix("step-")))


def read_checkpoint(path: Path, name: str) -> dict[str, bytes]:
    """Returns the files of one checkpoint of the run at ``path``. Raises StorageError."""
    return read_folder(path / "checkpoints" / name)


def read_config(path: Path) -> bytes:
    """Returns ``config.yaml`` of the run at ``path``. Raises StorageError."""
    return read_file(path / "config.yaml")


def refuse_links(path: Path) -> None:
    """Raises DataError where a run folder holds links or devices: writing through them would change files outside of it."""
    for entry in (path, *path.rglob("*")):
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise DataError(f"{entry} is a link or a device; a run folder holds plain files only")


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
