"""Which files are meant by paths, folders and patterns that somebody typed. No torch, no file is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.errors import StorageError, UsageError, did_you_mean

# HEIC cannot be read, and who has such photos must be told so.
_SUFFIXES = "jpg jpeg jpe jfif png gif bmp tif tiff webp avif ppm pgm pbm pnm heic heif"
IMAGES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split(" "))
TABLES = frozenset({".csv", ".tsv"})


@dataclass(frozen=True)
class Given:
    """The files that are meant.

    Args:
        files: named one by one, by a pattern, or found in folders, in the order that they were typed; each once.
        folders: that were named, with how many files that are no images lie in each.
    """

    files: tuple[Path, ...]
    folders: tuple[tuple[Path, int], ...] = ()


def given(paths: Sequence[str]) -> Given:
    """Returns the files that ``paths`` mean: a folder stands for the images in it and below, in natural order (2 before 10).

    Hidden files and folders are left out, and links to folders are not followed.

    Raises:
        UsageError: there is no such file, nothing matches a pattern, or a folder holds no image.
        StorageError: a folder cannot be read.
    """
    files: dict[Path, None] = {}
    folders = []
    for path in (Path(text).expanduser() for typed in paths for text in _expanded(typed)):
        if not path.is_dir():
            files[path] = None
            continue
        below = list(_below(path))
        images = sorted((each for each in below if each.suffix.lower() in IMAGES), key=lambda each: natural(str(each)))
        if not images:
            raise UsageError(f"no files matched: {path} holds no image ({len(below)} files looked at)", hint=_instead(below))
        files |= dict.fromkeys(images)
        folders.append((path, len(below) - len(images)))
    return Given(tuple(files), tuple(folders))


def natural(text: str) -> list[tuple[bool, int, str]]:
    """Sorting key: runs of digits by their value, other text by its letters in any case."""
    parts = re.split(r"([0-9]+)", text)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part.casefold()) for part in parts if part]


def _expanded(typed: str) -> list[str]:
    """The path itself, or what matches a pattern that no shell has expanded."""
    if not typed.strip():
        raise UsageError("'' is no path: an empty word", hint="dl predict photo.png")
    try:
        path = Path(typed).expanduser()
        if path.exists():
            return [typed]
        pattern = any(sign in typed for sign in "*?[")
        below = Path(path.anchor).glob(str(path.relative_to(path.anchor))) if pattern else ()
        matching = sorted(map(str, below), key=natural)
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"'{typed}' is no path: {error}", hint="dl predict photo.png") from error
    if matching:
        return matching
    if pattern:
        raise UsageError(f"no files matched '{typed}'", hint="name a folder: the images in it are found")
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"there is no file '{typed}': the folder {folder} does not exist", hint="check the path")
    near = did_you_mean(path.name, [each.name for each in folder.iterdir()])
    raise UsageError(f"there is no file '{typed}'{near}", hint="check the name: dl takes a file or a folder of images")


def _below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise StorageError(f"cannot read the folder {error.filename}: {error.strerror}", hint="check its permissions") from error

    for here, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here, name) for name in names if not name.startswith("."))


def _instead(below: Sequence[Path]) -> str:
    table = next((path for path in below if path.suffix.lower() in TABLES), None)
    return f"dl predict {table}" if table is not None else "a folder with JPEG or PNG images"
