"""Which image files a folder holds, and what their places say of class and part: ROOT/CLASS/… or ROOT/PART/CLASS/…"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlcli.data.decode import shown
from dlcli.errors import DataError, StorageError

PARTS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_BY_OTHERS = {"Thumbs.db", "desktop.ini", "__MACOSX", "@eaDir"}  # what file managers leave behind; so do names with a dot
_EXPECTED = "expected one folder of images per class, as in cat/1.jpg and dog/2.jpg"


class Files:
    """Many file names in one block of memory, which loader processes share instead of copying a million strings.

    Args:
        root: the folder that the names start from.
        names: relative to it.
        targets: class numbers.
        sizes: bytes of each file.
    """

    def __init__(self, root: Path, names: Sequence[str], targets: Sequence[int], sizes: Sequence[int]) -> None:
        encoded = [os.fsencode(name) for name in names]
        self.root = str(root)
        # A trailing byte: an empty block has no buffer to read from.
        self._block = torch.from_numpy(np.frombuffer(b"".join(encoded) + b"\0", dtype=np.uint8).copy())
        self._ends = torch.tensor([0, *map(len, encoded)], dtype=torch.int64).cumsum(0)
        self.targets = torch.tensor(targets, dtype=torch.int64)
        self.sizes = torch.tensor(sizes, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.targets)

    def name(self, row: int) -> str:
        """Returns the file's name relative to the root."""
        start, end = self._ends[row : row + 2].tolist()
        return os.fsdecode(self._block[start:end].numpy().tobytes())

    def path(self, row: int) -> str:
        """Returns the file's whole path."""
        return f"{self.root}{os.sep}{self.name(row)}"


@dataclass(frozen=True, eq=False)
class Found:
    """The images of a folder.

    Args:
        classes: names of the class folders, sorted; fit for a message.
        parts: rows of ``files`` per part, int64; "train" alone where the folder has no parts.
        left_out: files and folders beside the class folders and parts; nothing is read from them.
    """

    files: Files
    classes: tuple[str, ...]
    parts: Mapping[str, Tensor]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Folder:
    path: Path
    folders: tuple[str, ...]
    files: tuple[tuple[str, int], ...]  # name and bytes


def scan(root: Path) -> Found:
    """Lists the images below ``root``; no file is opened.

    Raises:
        DataError: there are no classes, a class without an image, folders inside class folders, or parts whose classes
            differ; each in one line with what to do.
        StorageError: the folder is missing or cannot be read.
    """
    top = _listed(root)
    parts = _parts(top)
    by_part = {"train": _classes(top)} if parts is None else {part: _classes(folder) for part, folder in parts.items()}
    classes = tuple(by_part["train"])
    for part, found in by_part.items():
        _refuse_other_classes(root, part, set(found), set(classes))
    if len(classes) < 2:
        raise DataError(f"{shown(root)} has one class folder, {classes[0]}; a classifier needs two classes or more")
    names: list[str] = []
    targets: list[int] = []
    sizes: list[int] = []
    rows: dict[str, Tensor] = {}
    for part, found in by_part.items():
        start = len(names)
        for number, label in enumerate(classes):
            folder = found[label]
            prefix = folder.path.relative_to(root)
            names += [f"{prefix}{os.sep}{name}" for name, _ in folder.files]
            sizes += [size for _, size in folder.files]
            targets += [number] * len(folder.files)
        rows[part] = torch.arange(start, len(names))
    return Found(Files(root, names, targets, sizes), classes, rows, _beside(top, parts))


def _listed(path: Path) -> _Folder:
    """The visible content of a folder, sorted by name."""
    folders, files = [], []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _BY_OTHERS:
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.is_file():
                    files.append((entry.name, entry.stat().st_size))
                elif not Path(entry.path).exists():  # a link that leads nowhere: reading it will say so; pipes are left out
                    files.append((entry.name, -1))
    except OSError as error:
        hint = "check the path and its permissions"
        raise StorageError(f"cannot read the folder {shown(path)}: {error.strerror}", hint=hint) from error
    return _Folder(path, tuple(sorted(folders)), tuple(sorted(files)))


def _parts(top: _Folder) -> dict[str, _Folder] | None:
    """The folders of the parts, train first; None where the folders are classes."""
    named: dict[str, list[str]] = {}
    for name in top.folders:
        if name.casefold() in PARTS:
            named.setdefault(PARTS[name.casefold()], []).append(name)
    inside = {part: [_listed(top.path / name) for name in names] for part, names in named.items()}
    # A class may be called train (the vehicle): a part holds folders, a class none.
    if "train" in inside and not any(folder.folders for folder in inside["train"]):
        return None
    if "train" not in inside:
        if inside and len(top.folders) == sum(map(len, named.values())) and all(each[0].folders for each in inside.values()):
            raise DataError(f"{shown(top.path)} has {listing(top.folders)} and no train folder", hint="add train/CLASS/…")
        return None
    for part, folders in inside.items():
        if len(folders) > 1:
            raise DataError(f"{shown(top.path)} has {listing(named[part])}, which both mean {part}", hint="keep one of them")
        if folders[0].files and not folders[0].folders:
            where = shown(folders[0].path)
            hint = f"move {where} elsewhere: without it a part of train is held back, and images without labels can be predicted"
            raise DataError(f"{where} holds images without class folders; {_EXPECTED}", hint=hint)
    return {part: inside[part][0] for part in ("train", "val", "test") if part in inside}


def _classes(folder: _Folder) -> dict[str, _Folder]:
    """The class folders inside ``folder`` by their name, sorted."""
    where = shown(folder.path)
    if not folder.folders:
        held = f"holds {len(folder.files)} files and no folders" if folder.files else "is empty"
        raise DataError(
            f"{where} {held}; {_EXPECTED}", hint=f"put the images of each class into a folder of their own in {where}"
        )
    found: dict[str, _Folder] = {}
    for name in folder.folders:
        # macOS writes é as two characters, others as one: it is the same class.
        label = shown(unicodedata.normalize("NFC", name))
        if label in found:
            raise DataError(f"{where} has two folders that read as {label}", hint="rename one of them")
        found[label] = _listed(folder.path / name)
    _refuse_nested(folder, found)
    empty = [label for label, inside in found.items() if not inside.files]
    if empty:
        raise DataError(f"{where} has class folders without an image: {listing(empty)}", hint="add images, or remove the folders")
    return dict(sorted(found.items()))


def _beside(top: _Folder, parts: Mapping[str, _Folder] | None) -> tuple[str, ...]:
    """Names of what is neither part nor class."""
    names = [name for name, _ in top.files]
    if parts is not None:
        names += [name for name in top.folders if name.casefold() not in PARTS]
        names += [f"{folder.path.name}{os.sep}{name}" for folder in parts.values() for name, _ in folder.files]
    return tuple(map(shown, names))


def _refuse_nested(folder: _Folder, found: Mapping[str, _Folder]) -> None:
    nested = {label: inside for label, inside in found.items() if inside.folders}
    if not nested:
        return
    label, inside = next(iter(nested.items()))
    hint = f"move the images up into {label}, one folder per class"
    if len(found) == 1 and not inside.files:
        hint = f"--data {shown(inside.path)}"
    more = f"; so do {len(nested) - 1} other class folders" if len(nested) > 1 else ""
    message = f"{shown(inside.path)} holds folders ({listing(inside.folders)}){more}; {_EXPECTED}"
    raise DataError(message, hint=hint)


def _refuse_other_classes(root: Path, part: str, found: set[str], classes: set[str]) -> None:
    only = [
        f"only in {where}: {listing(sorted(names))}" for where, names in (("train", classes - found), (part, found - classes))
    ]
    differs = [text for text, names in zip(only, (classes - found, found - classes), strict=True) if names]
    if differs:
        hint = f"the same class folders in train and {part}, each with images"
        raise DataError(f"the classes in {shown(root)} differ between train and {part}: {'; '.join(differs)}", hint=hint)


def listing(names: Iterable[str]) -> str:
    """Returns the first five names, fit for a message, and how many there are beyond."""
    listed = [shown(name) for name in names]
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
