"""Where a named data set lies: the folder that is given, else ``$DL_DATA/NAME``, else the user cache.

The user cache is ``dlcli/data/NAME`` in ``$XDG_CACHE_HOME``, on Windows in ``%LOCALAPPDATA%``, else in ``~/.cache``, on
macOS too, as for other programs of this trade.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from dlcli.data.fetchable import Published, Remote, digest_of, hasher, readable
from dlcli.errors import StorageError


def user_cache() -> Path:
    """Returns dlcli's folder in the user cache, which may not exist yet. Raises StorageError where there is no home folder."""
    named = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or "~/.cache"
    try:
        return Path(named).expanduser() / "dlcli"
    except RuntimeError as error:
        raise StorageError("there is no home folder to keep data in", hint="export DL_DATA=FOLDER") from error


def own_folder(name: str) -> Path:
    """Returns where ``dl fetch`` puts the data set ``name``. Raises StorageError."""
    chosen = os.environ.get("DL_DATA")
    return (Path(chosen).expanduser() if chosen else user_cache() / "data") / name


def folders_of(name: str, *, root: str | None = None) -> tuple[Path, ...]:
    """Returns the folders in which the data set ``name`` is looked for, the first one first.

    Args:
        root: a folder that the user named; then only it is looked at, and its subfolder ``name``.
    """
    if root is not None:
        return (Path(root).expanduser(), Path(root).expanduser() / name)
    found = [own_folder(name)]
    with contextlib.suppress(StorageError):
        found.append(user_cache() / "data" / name)
    return tuple(dict.fromkeys(found))


def look(folders: Iterable[Path], names: Iterable[str], *, subfolders: Sequence[str] = ()) -> Path | None:
    """Returns the first of the files ``names`` that is in one of ``folders`` or their ``subfolders``, or None."""
    names = tuple(names)
    for folder in folders:
        for part in ("", *subfolders):
            for name in names:
                if (path := folder / part / name).is_file():
                    return path
    return None


def find(published: Published, names: Sequence[str], *, root: str | None) -> Path:
    """Returns the file of a data set: the first of ``names`` (plain or packed) that lies where it is looked for.

    Args:
        root: a folder that the user named, or None.

    Raises:
        StorageError: none is there; the message says what is missing, where it was looked for, and how to supply it.
    """
    path = look(folders_of(published.name, root=root), names, subfolders=published.subfolders)
    if path is None:
        raise missing(published, names, root=root)
    return path


def is_here(published: Published, remote: Remote, *, root: str | None = None, checked: bool = True) -> bool:
    """Returns whether all that is kept of a published file lies where its data set is looked for.

    Args:
        root: a folder that the user named, or None.
        checked: whether the digests must be right too; else that files of these names are there is enough.
    """

    def right(name: str, digest: str) -> bool:
        path = look(folders_of(published.name, root=root), [name], subfolders=published.subfolders)
        return path is not None and (not checked or digest_of(path, like=digest) == digest)

    def unpacked() -> bool:
        """Whether the plain file is there, or one that somebody else packed."""
        names = (remote.name.removesuffix(".gz"), remote.name)
        for folder in folders_of(published.name, root=root):
            for name in names:
                path = look([folder], [name], subfolders=published.subfolders)
                if path is not None and (not checked or _content_digest(path, like=str(remote.unpacked)) == remote.unpacked):
                    return True
        return False

    try:
        return all(right(*kept) for kept in remote.kept.items()) or (remote.unpacked is not None and unpacked())
    except OSError:
        return False


def missing(published: Published, names: Sequence[str], *, root: str | None) -> StorageError:
    """Returns the error that says that ``names`` are not where they are looked for, and three ways to supply them."""
    folders = folders_of(published.name, root=root)
    within = f", also in {', '.join(published.subfolders)} below" if published.subfolders else ""
    return StorageError(
        f"{published.name} is not here: there is no {' or '.join(names)}; {readable(published.size)} to download in all\n"
        f"looked in {' and '.join(map(str, folders))}{within}",
        hint=ways(published.name, folder=folders[0], to=root),
    )


def ways(name: str, *, folder: Path, to: str | None = None) -> str:
    """Returns the three ways to supply a data set, in one line.

    Args:
        folder: where a copy of the files will be found.
        to: the folder that the user named as ``data.root``, if there is one.
    """
    fetch = f"dl fetch {name}" + (f" --to {to}" if to is not None else "")
    return f"{fetch}; or copy the published files to {folder}; or, where they lie elsewhere, data.root=FOLDER"


def _content_digest(path: Path, *, like: str) -> str:
    """The digest of a file, or of what it holds where it is called .gz; of a broken one it is none. Raises OSError."""
    if path.suffix != ".gz":
        return digest_of(path, like=like)
    running = hasher(like)
    try:
        with gzip.open(path) as file:
            while chunk := file.read(1 << 20):
                running.update(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return ""
    return running.hexdigest()
