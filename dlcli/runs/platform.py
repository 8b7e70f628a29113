"""Everything that differs between Linux, macOS and Windows; nothing else asks for the platform."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    try:
        import fcntl
    except ImportError:  # a Python built without it; locking then refuses, everything else works
        fcntl = None  # type: ignore[assignment]


def try_lock(descriptor: int, *, patience: float = 0.0) -> bool:
    """Takes an exclusive lock on an open file for the life of its descriptor; returns False where another holds it.

    The kernel frees the lock when the process dies, whatever killed it. Raises OSError where the file system has no locks.

    Args:
        patience: seconds to go on trying.
    """
    deadline = time.monotonic() + patience
    while not _lock(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    if fcntl is None:
        raise OSError("this Python has no fcntl module, so runs cannot be locked")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_folder(path: Path) -> None:
    """Makes renames inside ``path`` survive a power cut; Windows has no such call and needs none on NTFS."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and user-space file systems do not know the call; they keep renames in order by themselves or not at all.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int | None:
    """Returns the free space on the disk that will hold ``path``, or None where the system does not say."""
    for folder in (path, *path.absolute().parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
    return None


def open_with_desktop(path: Path) -> None:
    """Shows a file with the desktop's own program. Raises OSError where there is none."""
    if sys.platform == "win32":
        os.startfile(path)
    else:
        opener = "open" if sys.platform == "darwin" else "xdg-open"
        subprocess.Popen([opener, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
