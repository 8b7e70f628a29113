"""Reading what a run folder names without leaving the folder: it may be somebody else's."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from dlcli.errors import DataError
from dlcli.runs.folder import storing

_PARTS = 8  # folders deep; dlcli makes two


def read_enclosed(folder: Path, name: str, *, limit: int) -> bytes:
    """Returns the content of the file that a run folder calls ``name``, such as ``plots/curves.png``.

    Args:
        folder: of the run.
        name: as in ``result.json``: relative to the folder, with slashes.
        limit: bytes that the file may have.

    Raises:
        DataError: the name leads out of the folder, through a link or to no plain file, or the file is larger than ``limit``.
        StorageError: it cannot be read.
    """
    parts = PurePosixPath(name).parts
    inside = 0 < len(parts) <= _PARTS and ".." not in parts and "\\" not in name and ":" not in name and "\0" not in name
    if not inside or PurePosixPath(name).is_absolute():
        raise DataError(f"'{name[:80]}' is no name of a file in its run folder; it was not opened")
    path = folder
    with storing(path):
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise DataError(f"'{name[:80]}' leads through a link; it was not opened")
        if not path.exists():
            raise DataError(f"'{name[:80]}' is named by the run and not there")
        if not path.is_file():
            raise DataError(f"'{name[:80]}' is no plain file; it was not opened")
        size = path.stat().st_size
        if size > limit:
            raise DataError(f"'{name[:80]}' has {size / 1e6:,.1f} MB, more than the {limit / 1e6:,.1f} MB that are read")
        with path.open("rb") as file:
            return file.read(limit)
