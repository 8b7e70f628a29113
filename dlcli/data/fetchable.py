"""Where a data set's published files can be had, said by the class that reads them.

A :class:`~dlcli.contracts.DataSource` with a class variable ``published: ClassVar[Published]`` can be fetched by
``dl fetch NAME``; what can be fetched is found by looking at the classes that the data YAMLs name. No torch here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_DIGITS = {"sha256": 64, "md5": 32}
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A published file, and how to know it again.

    Args:
        name: where it is kept, relative to the data set's folder, with "/" between folders; as published.
        urls: where it can be had, http or https, the first one preferred.
        size: bytes.
        sha256, md5: digests of the whole file as published, in lower-case hexadecimal. Where both are there, sha256 is checked.
        sha256_start: the first digits of sha256, eight or more, where only these are published. At least one of the three.
        contents: of an archive that is unpacked: the files that are kept of it, by their names in it, which are also where
            they are kept, and the digest of each (sha256 or md5, told by its length). The archive itself is then not
            kept. Empty: the file is kept as it is.
        unpacked: of a .gz file: sha256 of what it holds, where that is known; then the plain file, or one that somebody else
            packed, is as good.

    Raises:
        ValueError: a name leaves the folder, a URL is of another kind, there is no digest or it is none.
    """

    name: str
    urls: tuple[str, ...]
    size: int
    sha256: str | None = None
    md5: str | None = None
    sha256_start: str | None = None
    contents: Mapping[str, str] = field(default_factory=dict)
    unpacked: str | None = None

    def __post_init__(self) -> None:
        for name in (self.name, *self.contents):
            if not stays_inside(name):
                raise ValueError(f"name must stay inside the data set's folder, got {name!r}")
        if not self.urls or not all(re.match(r"https?://[^/]", url) for url in self.urls):
            raise ValueError(f"urls must be one or more of http or https, got {self.urls}")
        if self.size < 1:
            raise ValueError(f"size must be a number of bytes of at least 1, got {self.size}")
        if self.sha256_start is not None and not re.fullmatch("[0-9a-f]{8,31}", self.sha256_start):
            raise ValueError(f"sha256_start must be 8 to 31 lower-case hexadecimal digits, got {self.sha256_start!r}")
        if not self.sha256 and not self.md5 and not self.sha256_start:
            raise ValueError(f"sha256 or md5 must be given for {self.name}: what is fetched is checked")
        digests = [("sha256", self.sha256), ("md5", self.md5), ("unpacked", self.unpacked)]
        for kind, digest in (*digests, *(("contents", one) for one in self.contents.values())):
            lengths = {_DIGITS[kind]} if kind in _DIGITS else set(_DIGITS.values())
            if digest is not None and not (re.fullmatch("[0-9a-f]+", digest) and len(digest) in lengths):
                wanted = " or ".join(map(str, sorted(lengths)))
                raise ValueError(f"{kind} must be {wanted} lower-case hexadecimal digits, got {digest!r}")

    @property
    def digest(self) -> str:
        """The digest to check, sha256 where it is known."""
        return self.sha256 or self.md5 or str(self.sha256_start)

    @property
    def kept(self) -> Mapping[str, str]:
        """The files that lie in the data set's folder in the end, each with its digest."""
        return self.contents or {self.name: self.digest}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A data set as it is published.

    Args:
        name: the word after ``dl fetch``, and the folder of its files under ``$DL_DATA`` and in the user cache.
        files: all that :meth:`~dlcli.contracts.DataSource.load` needs.
        terms: licence or terms of use in a few words, as published; "none stated" where there are none.
        subfolders: where below that folder other programs leave the files.
    """

    name: str
    files: tuple[Remote, ...]
    terms: str
    subfolders: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes to download for all files together."""
        return sum(file.size for file in self.files)


def stays_inside(name: str) -> bool:
    """Returns whether ``name``, read with "/" between folders, is a file below the folder that it is joined to, on any system."""
    parts = name.split("/")
    hostile = "\\" in name or "\0" in name or re.match(r"[A-Za-z]:", name) is not None
    return not hostile and not PurePosixPath(name).is_absolute() and not {"", ".", ".."} & set(parts)


def digest_of(content: Path | bytes | bytearray, *, like: str) -> str:
    """Returns the digest of a file or of bytes, of the kind and length that ``like`` is. Raises OSError.

    64 digits are sha256, 32 are md5, fewer are the beginning of sha256.
    """
    running = hasher(like)
    if not isinstance(content, Path):
        running.update(content)
        return running.hexdigest()[: len(like)]
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK):
            running.update(chunk)
    return running.hexdigest()[: len(like)]


def hasher(like: str) -> hashlib._Hash:
    """Returns a running digest of the kind that ``like`` is. MD5 finds damage here; it is no proof against an attacker."""
    return hashlib.new("md5" if len(like) == _DIGITS["md5"] else "sha256", usedforsecurity=False)


def readable(size: int) -> str:
    """Returns a size in words: ``"170.1 MB"``, below 100 kB ``"5.1 kB"``."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"
