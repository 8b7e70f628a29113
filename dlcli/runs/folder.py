"""The two ways in which anything reaches the disk: a file or a folder, whole or not at all.

Order of a save: everything is written under a temporary name beside its goal, each file is fsynced, the temporary
folder is fsynced, it is renamed, and the parent is fsynced. A process killed at any moment leaves the old state or the
new one, and at most a ``.tmp-…`` that the next holder of the lock removes.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from dlcli.errors import StorageError
from dlcli.runs import platform

TEMPORARY = ".tmp-"


def write_folder_atomically(path: Path, files: Mapping[str, bytes]) -> None:
    """Creates folder ``path`` with ``files`` (relative name → content). Raises StorageError; ``path`` is then not there."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}")
    try:
        temporary.mkdir(parents=True)
        for name, data in files.items():
            goal = temporary / name
            goal.parent.mkdir(parents=True, exist_ok=True)
            _write_synced(goal, data)
        platform.sync_folder(temporary)
        temporary.rename(path)
        platform.sync_folder(path.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise storage_error(error, path, needed=sum(map(len, files.values()))) from error


def write_file_atomically(path: Path, data: bytes) -> None:
    """Creates or replaces file ``path``. Raises StorageError; the old content then still stands."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(temporary, data)
        temporary.replace(path)
        platform.sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise storage_error(error, path, needed=len(data)) from error


def read_folder(path: Path) -> dict[str, bytes]:
    """Returns the plain files directly in ``path``; links are not followed. Raises StorageError."""
    try:
        entries = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.is_symlink())
        return {entry.name: entry.read_bytes() for entry in entries}
    except OSError as error:
        raise storage_error(error, path) from error


def remove_folder(path: Path) -> None:
    """Removes a folder so that no half of it can be taken for a whole: renamed first, then deleted."""
    trash = path.with_name(f"{TEMPORARY}trash-{path.name}-{os.getpid()}")
    try:
        path.rename(trash)
        shutil.rmtree(trash)
    except OSError as error:
        raise storage_error(error, path) from error


def remove_leftovers(path: Path) -> None:
    """Removes what a killed process left under temporary names in ``path``; call only while holding the run's lock."""
    for leftover in sorted(path.glob(f"{TEMPORARY}*")):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def storage_error(error: OSError, path: Path, *, needed: int | None = None) -> StorageError:
    """Returns the message for a failed read or write, with the space needed and free where that is the reason."""
    reason = error.strerror or str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} and needed is not None:
        free = platform.free_bytes(path.parent)
        room = f"{free:,} bytes free" if free is not None else "free space unknown"
        return StorageError(f"cannot write {path}: {reason} ({needed:,} bytes needed, {room})", hint="free some space, then --resume")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return StorageError(f"cannot write {path}: {reason}", hint="set DL_RUNS to a folder that you may write")
    return StorageError(f"{path}: {reason}")


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
