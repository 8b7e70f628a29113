"""Run: one folder, locked for the life of the process that writes it; ``result.json`` comes last."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from dlcli.errors import DataError, LockedError, StorageError, UsageError
from dlcli.runs import platform, record
from dlcli.runs.folder import (
    read_folder,
    remove_folder,
    remove_leftovers,
    storage_error,
    write_file_atomically,
    write_folder_atomically,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
KEPT_CHECKPOINTS = 2


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
        temporary = parent / f".tmp-{run_id}"
        content = {"schema": record.SCHEMA, "id": run_id, "verb": verb, "name": name, **information}
        content |= {**record.describe_environment(), "start": record.now(), "end": None, "failure": None}
        try:
            temporary.mkdir(parents=True)
            (temporary / "config.yaml").write_bytes(config)
            (temporary / "run.json").write_bytes(_json(content))
            (temporary / "log.txt").touch()
            lock = _locked(temporary)
            temporary.rename(parent / run_id)
        except OSError as error:
            raise storage_error(error, parent) from error
        return cls(parent / run_id, lock)

    @classmethod
    def reopen(cls, path: Path) -> Run:
        """Takes an unfinished run to continue it, and clears what a killed writer left. Raises LockedError, StorageError."""
        run = cls(path, _locked(path))
        remove_leftovers(path)
        if run.checkpoint_folder.is_dir():
            remove_leftovers(run.checkpoint_folder)
        run._rewrite_information(end=None, failure=None)
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
        finite = not isinstance(value, float) or value - value == 0.0
        self._metric_file().write(json.dumps({**line, "value": value if finite else None}).encode() + b"\n")

    def metrics_size(self) -> int:
        """Returns the length in bytes of ``metrics.jsonl``, everything flushed to disk."""
        file = self._metric_file()
        file.flush()
        os.fsync(file.fileno())
        return file.tell()

    def rewind_metrics(self, size: int) -> None:
        """Cuts ``metrics.jsonl`` back to where a checkpoint left it; what follows will be written again."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            path.touch()
        if path.stat().st_size < size:
            raise DataError(f"{path} has {path.stat().st_size} bytes, its checkpoint expects at least {size}")
        os.truncate(path, size)

    def note(self, text: str) -> None:
        """Appends a line with the time to ``log.txt``."""
        try:
            with (self.path / "log.txt").open("a", encoding="utf-8") as file:
                file.write(f"{record.now()} {text}\n")
        except OSError as error:
            raise storage_error(error, self.path / "log.txt") from error

    def write(self, name: str, data: bytes) -> str:
        """Writes one file of the run, for instance ``plots/curves.png``; returns ``name``."""
        write_file_atomically(self.path / name, data)
        return name

    def save_checkpoint(self, step: int, files: Mapping[str, bytes], *, best_step: int | None) -> None:
        """Saves one checkpoint, then the index, then drops what is neither best nor among the last two."""
        goal = self.checkpoint_folder / checkpoint_name(step)
        if goal.exists():
            # Only after a damaged newest checkpoint: the same step is written anew.
            remove_folder(goal)
        write_folder_atomically(goal, files)
        best = checkpoint_name(best_step) if best_step is not None else None
        write_file_atomically(self.checkpoint_folder / "index.json", _json({"best": best, "last": goal.name}))
        names = checkpoint_names(self.path)
        for name in names[:-KEPT_CHECKPOINTS]:
            if name != best:
                remove_folder(self.checkpoint_folder / name)

    def finish(self, *, seconds: float, metrics: Mapping[str, Mapping[str, Any]], files: Mapping[str, str]) -> record.Result:
        """Writes ``result.json``, which makes the run finished, and frees the lock."""
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
        reason = {"code": getattr(error, "code", 1), "message": str(error) or type(error).__name__}
        text = "".join(traceback.format_exception(error))
        with contextlib.suppress(OSError, StorageError):  # a full disk is perhaps the very reason
            self._close_metrics()
            self.note(text)
            self._rewrite_information(end=record.now(), failure=reason)
        self._lock.close()

    def _metric_file(self) -> IO[bytes]:
        if self._metrics is None:
            self._metrics = (self.path / "metrics.jsonl").open("ab")
        return self._metrics

    def _close_metrics(self) -> None:
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    def _rewrite_information(self, **changes: Any) -> None:
        self.information |= changes
        write_file_atomically(self.path / "run.json", _json(self.information))


def checkpoint_name(step: int) -> str:
    """Returns the folder name of the checkpoint at ``step``."""
    return f"step-{step:08d}"


def checkpoint_names(path: Path) -> list[str]:
    """Returns the names of a run's checkpoints, oldest first; only whole ones have such a name."""
    folder = path / "checkpoints"
    return sorted(entry.name for entry in folder.glob("step-*") if entry.is_dir() and not entry.is_symlink())


def read_checkpoint(path: Path, name: str) -> dict[str, bytes]:
    """Returns the files of one checkpoint of the run at ``path``. Raises StorageError."""
    return read_folder(path / "checkpoints" / name)


def is_locked(path: Path) -> bool:
    """Returns whether a living process holds the run."""
    try:
        with (path / ".lock").open("r+") as file:
            return not platform.try_lock(file.fileno())
    except OSError:
        return False


def _locked(path: Path) -> IO[str]:
    """Opens and locks ``path/.lock`` and writes the holder into it. Raises LockedError naming the holder."""
    try:
        file = (path / ".lock").open("a+", encoding="utf-8")
        if not platform.try_lock(file.fileno()):
            file.seek(0)
            holder = file.read(200).strip() or "another process"
            file.close()
            raise LockedError(f"{path} is being written by {holder}", hint="wait for it, or stop it first")
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%H:%M:%S')}")
        file.flush()
    except OSError as error:
        raise storage_error(error, path) from error
    return file


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
