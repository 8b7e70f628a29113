"""Where a data set's published files can be had, said by the class that reads them.

A :class:`~dlcli.contracts.DataSource` with a class variable ``published: ClassVar[Published]`` can be fetched by
``dl fetch NAME``; what can be fetched is found by looking at the classes that the data YAMLs name. No torch here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

_DIGITS = {"sha256": 64, "md5": 32}


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A published file, and how to know it again.

    Args:
        name: where it is kept, relative to the data set's folder, with "/" between folders; as published.
        urls: where it can be had, http or https, the first one preferred.
        size: bytes.
        sha256, md5: digests of the whole file as published, in lower-case hexadecimal; at least one. Where both are
            there, sha256 is checked.

    Raises:
        ValueError: ``name`` leaves the folder, a URL is of another kind, there is no digest or it is none.
    """

    name: str
    urls: tuple[str, ...]
    size: int
    sha256: str | None = None
    md5: str | None = None

    def __post_init__(self) -> None:
        path = PurePosixPath(self.name)
        if not self.name or path.is_absolute() or {"..", "."} & set(self.name.split("/")) or "\\" in self.name:
            raise ValueError(f"name must stay inside the data set's folder, got {self.name!r}")
        if not self.urls or not all(re.match(r"https?://[^/]", url) for url in self.urls):
            raise ValueError(f"urls must be one or more of http or https, got {self.urls}")
        if self.size < 1:
            raise ValueError(f"size must be a number of bytes of at least 1, got {self.size}")
        digests = {"sha256": self.sha256, "md5": self.md5}
        if not any(digests.values()):
            raise ValueError(f"sha256 or md5 must be given for {self.name}: what is fetched is checked")
        for kind, digest in digests.items():
            if digest is not None and not re.fullmatch(f"[0-9a-f]{{{_DIGITS[kind]}}}", digest):
                raise ValueError(f"{kind} must be {_DIGITS[kind]} lower-case hexadecimal digits, got {digest!r}")

    @property
    def digest(self) -> tuple[str, str]:
        """The name of the digest to check (``"sha256"`` or ``"md5"``), and the digest."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", str(self.md5))


@dataclass(frozen=True, kw_only=True)
class Published:
    """A data set as it is published.

    Args:
        name: the word after ``dl fetch``, and the folder of its files under ``$DL_DATA`` and in the user cache.
        files: all that :meth:`~dlcli.contracts.DataSource.load` needs.
        terms: licence or terms of use in a few words, as published; "none stated" where there are none.
    """

    name: str
    files: tuple[Remote, ...]
    terms: str

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)
