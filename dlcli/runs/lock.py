"""Who may write: one process per run, and one at a time that makes a new run. The kernel frees a lock when its process dies."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dlcli.errors import LockedError
from dlcli.runs import platform
from dlcli.runs.folder import storing

_LOCK = ".lock"
_LENGTH = 200  # bytes that the holder's words may have
# Listing runs tries each lock for an instant, so a lock that cannot be had at once may be free a moment later.
_PATIENCE = 0.3


def lock_run(path: Path) -> IO[str]:
    """Opens and locks ``path/.lock`` and writes the holder into it. Raises LockedError naming the holder."""
    with storing(path, needed=_LENGTH), contextlib.ExitStack() as undo:
        file = undo.enter_context((path / _LOCK).open("a+", encoding="utf-8", errors="replace"))
        if not platform.try_lock(file.fileno(), patience=_PATIENCE):
            file.seek(0)
            holder = file.read(_LENGTH).strip() or "another process"
            raise LockedError(f"{path} is being written by {holder}", hint="wait for it, or stop it first")
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%H:%M:%S')}")
        file.flush()
        undo.pop_all()
    return file


@contextlib.contextmanager
def only_maker(parent: Path) -> Iterator[None]:
    """Lends the sole right to make runs in ``parent``; it is held for milliseconds. Raises LockedError, StorageError."""
    with storing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        file = (parent / _LOCK).open("ab")
    with file:
        with storing(parent):
            free = platform.try_lock(file.fileno(), patience=30)
        if not free:
            raise LockedError(
                f"another process has been making a run in {parent} for 30 seconds", hint="is it stopped? try again"
            )
        yield


def is_locked(path: Path) -> bool:
    """Returns whether a living process holds the run."""
    try:
        lock = path / _LOCK
        if lock.is_symlink() or not lock.is_file():
            return False
        with lock.open("rb") as file:
            return not platform.try_lock(file.fileno())
    except OSError:
        return False
