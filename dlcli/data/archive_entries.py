"""The entries of a .zip or .tar, each looked at before anything of it is read. See :mod:`dlcli.data.archives`."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dlcli.data.fetchable import readable, stays_inside
from dlcli.errors import DataError

_LONGEST_NAME = 255  # bytes of one part of a path, on the common file systems
_LONGEST_HEADER = 1 << 20  # bytes; a tar's long names and comments are read whole into memory
_SLACK = 2 * _LONGEST_HEADER  # bytes; a tar's headers and padding are not held against what its files may be
_EARLY = 50_000_000  # bytes; what is smaller is no bomb, however well it is packed
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an archive may hold.

    Args:
        files: files and folders together.
        size: unpacked bytes in all.
        ratio: unpacked bytes to one byte of the archive; photos have about 1, text 10, blank pictures 200.
    """

    files: int = 2_000_000
    size: int = 500_000_000_000
    ratio: int = 300


class Check:
    """What was seen of an archive so far, against what it may hold. Its methods raise DataError.

    Args:
        path: the archive.
        packed: its size in bytes.
    """

    def __init__(self, path: Path, limits: Limits, packed: int) -> None:
        self.path, self.limits, self.packed = path, limits, packed
        self.count = self.size = 0
        self.names: set[str] = set()

    def refuse(self, reason: str) -> DataError:
        """Returns the error that says why the archive is not read."""
        return DataError(f"{self.path} is refused: {reason}", hint="unpack it yourself if you trust it, and give the folder")

    def entry(self, name: str, size: int, *, plain: bool) -> str:
        """Takes note of a file (``plain``) or folder and returns its name without what changes nothing, such as "./"."""
        self.count += 1
        if self.count > self.limits.files:
            raise self.refuse(f"it holds more than {self.limits.files:,} files")
        clean = name if plain else name.rstrip("/")
        while clean.startswith("./"):
            clean = clean[2:]
        if not plain and clean in {"", "."}:
            return ""
        if not stays_inside(clean):
            raise self.refuse(f"the name {shown(name)} leaves its folder or is none")
        if any(len(part.encode("utf-8", "surrogateescape")) > _LONGEST_NAME for part in clean.split("/")):
            raise self.refuse(f"the name {shown(name)} is longer than {_LONGEST_NAME} bytes")
        if plain:
            if clean in self.names:
                raise self.refuse(f"{shown(name)} is in it twice")
            self.names.add(clean)
            self.size += size
            self.unpacked(self.size)
        return clean

    def unpacked(self, size: int) -> None:
        """Refuses where ``size`` unpacked bytes are too many."""
        if size > self.limits.size:
            raise self.refuse(f"unpacked it is larger than {readable(self.limits.size)}")
        if size > _EARLY and size > self.limits.ratio * self.packed:
            raise self.refuse(f"unpacked it is more than {self.limits.ratio} times its size, as a bomb is")


def entries(path: Path, check: Check) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yields name, size and content of each plain file. Raises DataError, and what the standard library raises of damage."""
    with path.open("rb") as file:
        start = file.read(6)
    return _zip_entries(path, check) if start.startswith((b"PK\x03\x04", b"PK\x05\x06")) else _tar_entries(path, start, check)


def shown(name: str) -> str:
    """Returns a foreign name quoted and in ASCII, so that it cannot drive a terminal; at most 80 characters."""
    quoted = ascii(name)
    return quoted if len(quoted) <= 80 else f"{quoted[:76]}…{quoted[-1]}"


def _zip_entries(path: Path, check: Check) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        files = []
        for info in archive.infolist():  # all are looked at before the first is read
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise check.refuse(f"{shown(info.filename)} is {'a link' if kind == stat.S_IFLNK else 'a special file'}")
            if info.flag_bits & 1:
                raise check.refuse(f"{shown(info.filename)} is encrypted")
            if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise check.refuse(f"{shown(info.filename)} is packed in another way than stored or deflated")
            # The name as it was before zipfile cut it at a NUL or turned its separators.
            name = check.entry(info.orig_filename, info.file_size, plain=not info.is_dir())
            if not info.is_dir():
                files.append((name, info))
        for name, info in files:
            # No more comes out than the size that was checked, and at its end the CRC is.
            with archive.open(info) as file:
                yield name, info.file_size, file


class _Headers:
    """A tar's stream. While a header is looked for, extensions that would fill the memory are refused: they are read whole."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.looking, self.last = stream, True, b""

    def read(self, size: int) -> bytes:
        if self.looking and size > _LONGEST_HEADER + tarfile.BLOCKSIZE:
            raise tarfile.ReadError("a header is too long")
        self.last = self._stream.read(size)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Tar(tarfile.TarFile):
    """A tar that is read from front to end. What tarfile takes for a quiet end is an error here: it must be a block of zeros."""

    def __init__(self, name: Any, mode: Any, fileobj: Any, **settings: Any) -> None:
        self._headers = _Headers(fileobj)
        super().__init__(name, mode, self._headers, **settings)

    def files(self) -> Iterator[tarfile.TarInfo]:
        """Yields the entries; only before the next one is asked for can one be read."""
        while (info := self.next()) is not None:
            self._headers.looking = False
            yield info
            self._headers.looking = True
            self.members: list[tarfile.TarInfo] = []  # or every header stays in memory
        if self._headers.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it ends without the block of zeros that ends every tar")


class _Counted:
    """An unpacked stream that looks at how much has come out of it."""

    def __init__(self, file: Any, check: Check) -> None:
        self._file, self._check, self._size = file, check, 0

    def read(self, size: int) -> bytes:
        content: bytes = self._file.read(size)
        self._size += len(content)
        self._check.unpacked(self._size - _SLACK)
        return content


def _tar_entries(path: Path, start: bytes, check: Check) -> Iterator[tuple[str, int, IO[bytes]]]:
    with contextlib.ExitStack() as stack:
        unpacked: Any = stack.enter_context(path.open("rb"))
        for magic, opened in ((b"\x1f\x8b", gzip.GzipFile), (b"BZh", bz2.BZ2File), (b"\xfd7zXZ\0", lzma.LZMAFile)):
            if start.startswith(magic):
                unpacked = stack.enter_context(opened(path))
        stream: Any = _Counted(unpacked, check)
        archive = stack.enter_context(_Tar.open(fileobj=stream, mode="r|", bufsize=_CHUNK))
        for info in archive.files():
            if info.issym() or info.islnk():
                raise check.refuse(f"{shown(info.name)} is a link to {shown(info.linkname)}")
            if info.issparse() or not (info.isreg() or info.isdir()):
                raise check.refuse(f"{shown(info.name)} is a device or another special file")
            name = check.entry(info.name, info.size, plain=info.isreg())
            if info.isreg() and (file := archive.extractfile(info)) is not None:
                yield name, info.size, file
