"""A file of weights that the user names: what it may be called, what it may be, and its content."""

from __future__ import annotations

import errno
import os
import stat
from itertools import islice
from pathlib import Path

from dlcli.data.fetchable import readable
from dlcli.errors import DataError, UsageError, nearest, suggestion
from dlcli.runs.folder import storing

ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
LARGEST = 4_000_000_000  # bytes; it is read into memory, and torchvision's largest file has 2.6e9
_LOOKED_AT = 10_000  # entries of a folder, for suggestions
_EXPECTED = f"expected a file that ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"


def is_path(weights: str) -> bool:
    """Returns whether ``--weights`` names a file rather than a set of weights: by its ending, or a separator in it."""
    return weights.casefold().endswith(ENDINGS) or "/" in weights or os.sep in weights


def read_given(weights: str) -> bytes:
    """Returns the content of the file that ``--weights`` names; a link to one is followed.

    Raises:
        UsageError: there is no such file, with suggestions from its folder, or it is not a plain one, or ends otherwise.
        DataError: it has more than 4 GB. StorageError: it cannot be read.
    """
    said = f"--weights {weights}"
    try:
        path = Path(weights).expanduser()
        with storing(path):
            status = _status(path, said)
    except (ValueError, RuntimeError) as error:  # a null character; no home folder
        raise UsageError(f"{said!r} is no path: {error}", hint="--weights imagenet") from error
    if stat.S_ISDIR(status.st_mode):
        inside = _files(path)
        hint = f"--weights {path / inside[0]}" if inside else "--weights imagenet"
        raise UsageError(f"{said} is a folder; {_EXPECTED}", hint=hint)
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for a writer that may never come
        raise UsageError(f"{said} is no plain file; {_EXPECTED}", hint="--weights imagenet")
    if not path.name.casefold().endswith(ENDINGS):
        raise UsageError(f"{said}: {_EXPECTED}", hint="--weights imagenet")
    with storing(path), path.open("rb") as file:
        data = file.read(LARGEST + 1) if status.st_size <= LARGEST else b""
    if status.st_size > LARGEST or len(data) > LARGEST:
        raise DataError(f"{path.name} has {readable(status.st_size)}; expected at most {readable(LARGEST)} of weights")
    return data


def is_there(weights: str) -> bool:
    """Returns whether anything has this name."""
    try:
        return Path(weights).exists()
    except (OSError, ValueError):  # too long for a name, or none at all
        return False


def _status(path: Path, said: str) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}:
            raise _missing(path, said) from error
        raise


def _missing(path: Path, said: str) -> UsageError:
    files = _files(path.parent)
    near = nearest(path.name, files)
    hint = f"--weights {path.parent / near[0]}" if near else "--weights imagenet"
    if not path.parent.is_dir():
        return UsageError(f"{said}: there is no folder {path.parent}", hint=hint)
    beside = suggestion(near) or (f"; the folder has {', '.join(files[:3])}" if files else "")
    return UsageError(f"{said}: there is no such file{beside}", hint=hint)


def _files(folder: Path) -> list[str]:
    """The names of files in a folder that end as weights do."""
    try:
        entries = [entry for entry in islice(folder.iterdir(), _LOOKED_AT) if entry.name.casefold().endswith(ENDINGS)]
        return sorted(entry.name for entry in entries if entry.is_file())
    except OSError:
        return []
