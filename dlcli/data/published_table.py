"""A table's published file: found where it lies, and the one that was published."""

from __future__ import annotations

from pathlib import Path

from dlcli.data.fetchable import Published, Remote, digest_of
from dlcli.data.places import find
from dlcli.errors import DataError, StorageError


def read_published(published: Published, remote: Remote, *, root: str | None) -> tuple[Path, str]:
    """Returns the path and the text of one of a table's published files.

    Args:
        root: folder that holds it; None means ``$DL_DATA/NAME``, then the user cache.

    Raises:
        StorageError: it is not there, or cannot be read. DataError: its digest is not the published one.
    """
    path = find(published, (remote.name,), root=root)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", hint="check its permissions") from error
    found = digest_of(content, like=remote.digest)
    if found != remote.digest:
        reason = f"{path} is not the published file: its digest is {found}, expected {remote.digest}"
        raise DataError(reason, hint=f"dl fetch {published.name}")
    return path, content.decode()
