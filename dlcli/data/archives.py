"""Archives of strangers (.zip, .tar, .tar.gz, .tar.bz2, .tar.xz, told by content), read without harm.

Refused, with one line each: names that leave the folder, links, devices and other special files, encrypted files, the
same name twice, too many files, and bombs (more bytes than are allowed, or far more than the archive has). A tar is read
from front to end, so what stands before its first bad file has been seen by then: :func:`unpack` takes that away again.
"""

from __future__ import annotations

import contextlib
import errno
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dlcli.data.archive_entries import Check, Limits, entries, shown
from dlcli.errors import DataError, StorageError

_CHUNK = 1 << 20
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, NotImplementedError)


@dataclass(frozen=True, eq=False)
class Member:
    """A plain file in an archive.

    Args:
        name: as in the archive, with "/" between folders; it stays inside the folder that it is joined to.
        size: bytes, as the archive says.
    """

    name: str
    size: int
    _file: IO[bytes]
    _archive: Path

    def read(self, size: int = -1) -> bytes:
        """Returns the next ``size`` bytes, or all; only before the next member is asked for. Raises DataError, StorageError."""
        with _reading(self._archive):
            return self._file.read(size)


def members(path: Path, *, limits: Limits | None = None) -> Iterator[Member]:
    """Yields the plain files of an archive, in its order.

    Raises:
        DataError: it is none, it is damaged, or it is refused (see above).
        StorageError: it cannot be read.
    """
    with _reading(path):
        check = Check(path, limits or Limits(), path.stat().st_size)
        for name, size, file in entries(path, check):
            yield Member(name, size, file, path)


def read_members(path: Path, names: Collection[str], *, limits: Limits | None = None) -> dict[str, bytes]:
    """Returns the content of the named files of an archive, by name; nothing is written. Raises DataError and StorageError."""
    found: dict[str, bytes] = {}
    with contextlib.closing(members(path, limits=limits)) as all_members:  # type: ignore[type-var]
        for member in all_members:
            if member.name in names:
                found[member.name] = member.read()
            if len(found) == len(names):
                break
    _complete(path, names, found)
    return found


def unpack(path: Path, folder: Path, *, names: Collection[str] | None = None, limits: Limits | None = None) -> list[str]:
    """Writes the files of an archive below ``folder``, which must not exist yet. Where anything is wrong, nothing of it stays.

    Args:
        names: the files to unpack; None for all.

    Returns:
        The names that were written, in the archive's order.

    Raises:
        DataError: the archive is damaged, refused, or lacks one of ``names``.
        StorageError: it cannot be read, or its files cannot be written.
    """
    written: list[str] = []
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}", hint="choose another folder") from error
    try:
        for member in members(path, limits=limits):
            if names is None or member.name in names:
                _write(member, folder / member.name)
                written.append(member.name)
        _complete(path, names or (), written)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return written


def _write(member: Member, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while chunk := member.read(_CHUNK):
                file.write(chunk)
    except OSError as error:
        raise StorageError(
            f"cannot write {shown(str(path))}: {error.strerror}", hint="make room, or choose another folder"
        ) from error


def _complete(path: Path, names: Collection[str], found: Collection[str]) -> None:
    lacking = [name for name in names if name not in found]
    if lacking:
        raise DataError(f"{path} holds no {', '.join(lacking)}", hint="get the archive again")


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what the standard library raises of an archive into our errors."""
    try:
        yield
    except _DAMAGE as error:
        raise DataError(
            f"{path} is no archive that can be read, or it is damaged: {_said(error)}", hint="get it again"
        ) from error
    except OSError as error:
        if error.errno in {None, errno.EINVAL}:  # what gzip and bz2 say of content, and what a zip's false offset comes to
            raise DataError(f"{path} is damaged: {_said(error)}", hint="get it again") from error
        raise StorageError(f"cannot read {path}: {error.strerror}", hint="check the path and its permissions") from error


def _said(error: Exception) -> str:
    return ascii(str(error))[1:-1] or type(error).__name__
