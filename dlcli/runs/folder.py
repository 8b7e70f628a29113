"""The two ways in which anything reaches the disk: a file or a folder, whole or not at all.

Order of a save: everything is written under a temporary name beside its goal, each file is fsynced, the temporary
folder is fsynced, it is renamed, and the parent is fsynced. A process killed at any moment leaves the old state or the
new one, and at most a ``.tmp-…`` that the next holder of the lock removes. The one exception: a folder cannot be renamed
onto another, so between the two renames that replace a folder neither has its name.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dlcli.errors import StorageError
from dlcli.runs import platform

TEMPORARY = ".tmp-"


def write_folder_atomically(path: Path, files: Mapping[str, bytes]) -> None:
    """Creates or replaces folder ``path`` with ``files`` (name → content). Raises StorageError; the old one then still stands."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}")
    try:
        temporary.mkdir(parents=True)
        for name, data in files.items():
            _write_synced(temporary / name, data)
        platform.sync_folder(temporary)
        old = _moved_aside(path) if path.exists() else None
        _renamed(temporary, path, old=old)
        platform.sync_folder(path.parent)
        if old is not None:
            shutil.rmtree(old)
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
    with storing(path):
        entries = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.is_symlink())
        return {entry.name: entry.read_bytes() for entry in entries}


def remove_folder(path: Path) -> None:
    """Removes a folder so that no half of it can be taken for a whole: renamed first, then deleted."""
    with storing(path):
        shutil.rmtree(_moved_aside(path))


def remove_leftovers(path: Path) -> None:
    """Removes what a killed process left under temporary names in ``path``; call only while holding the lock that guards it."""
    for leftover in sorted(path.glob(f"{TEMPORARY}*")):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def read_file(path: Path) -> bytes:
    """Returns the content of a plain file. Raises StorageError."""
    with storing(path):
        return path.read_bytes()


@contextmanager
def storing(path: Path, *, needed: int | None = None) -> Iterator[None]:
    """Turns an OSError about ``path`` into a StorageError.

    Args:
        needed: bytes that are being written.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, path, needed=needed) from error


def storage_error(error: OSError, path: Path, *, needed: int | None = None) -> StorageError:
    """Returns the message for a failed read or write, with the space needed and free where that is the reason."""
    reason = error.strerror or str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        free = platform.free_bytes(path.parent)
        room = f"{free:,} bytes free" if free is not None else "free space unknown"
        room = room if needed is None else f"{needed:,} bytes needed, {room}"
        return StorageError(f"cannot write {path}: {reason} ({room})", hint="free some space, then --resume")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return StorageError(
            f"no access to {path}: {reason}", hint="its permissions, or DL_RUNS set to a folder that you may write"
        )
    return StorageError(f"{path}: {reason}")


def _moved_aside(path: Path) -> Path:
    trash = path.with_name(f"{TEMPORARY}trash-{path.name}-{os.getpid()}")
    path.rename(trash)
    return trash


def _renamed(temporary: Path, path: Path, *, old: Path | None) -> None:
    """Gives a new folder its name, or the old one its name back."""
    try:
        temporary.rename(path)
    except OSError:
        if old is not None:
            old.rename(path)
        raise


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
