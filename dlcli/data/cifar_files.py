"""Reader of the binary version of CIFAR-10 and CIFAR-100, from plain files or from the published archive.

A record is the label (CIFAR-100: the coarse, then the fine one) in one byte each, then 1024 red, 1024 green and 1024
blue values, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from dlcli.data.archive_entries import Limits
from dlcli.data.archives import read_members
from dlcli.data.fetchable import Published, digest_of
from dlcli.data.places import folders_of, look, missing
from dlcli.data.splits import Labelled
from dlcli.errors import DataError, StorageError

_PIXELS = 3 * 32 * 32


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files of one of the two sets.

    Args:
        folder: the folder that the published archive holds.
        archive: the published archive.
        train, test: the files in the folder, in order.
        sha256: of each.
        records: how many records each of ``train`` and each of ``test`` holds.
        labels: how many label bytes a record starts with; the last one counts.
        pickled: what betrays the pickled version, which is not read.
    """

    folder: str
    archive: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    sha256: Mapping[str, str]
    records: tuple[int, int]
    labels: int
    pickled: tuple[str, ...]

    @property
    def contents(self) -> Mapping[str, str]:
        """The files as the archive names them, with their sha256."""
        return {f"{self.folder}/{name}": digest for name, digest in self.sha256.items()}

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        records = len(self.train) * self.records[0] + len(self.test) * self.records[1]
        return records * (self.labels + _PIXELS)


def read_cifar(files: Files, published: Published, *, root: str | None) -> tuple[Labelled, Labelled]:
    """Returns the train and the test part, from the plain files where they are, else from the archive.

    Args:
        root: a folder that the user named; None means ``$DL_DATA/NAME``, then the user cache.

    Raises:
        DataError: a file is damaged or not the published one, or only the pickled version is there.
        StorageError: nothing is there, or it cannot be read.
    """
    content = _contents(files, published, root=root)
    train = _labelled(files, files.train, files.records[0], content)
    return train, _labelled(files, files.test, files.records[1], content)


def _contents(files: Files, published: Published, *, root: str | None) -> Callable[[str], bytearray]:
    """How to get the content of a file, by its name."""
    folders = folders_of(published.name, root=root)
    first = look(folders, files.train[:1], subfolders=(files.folder,))
    if first is not None:
        folder = first.parent
        return lambda name: _content_of(folder / name)
    archive = look(folders, [files.archive])
    if archive is not None:
        limits = Limits(files=100, size=2 * files.size)
        found = read_members(archive, list(files.contents), limits=limits)
        return lambda name: bytearray(found.pop(f"{files.folder}/{name}"))
    pickled = look(folders, files.pickled)
    if pickled is not None:
        raise DataError(
            f"{pickled} is of the pickled version of {published.name}, which could run code when it is read; expected the "
            f"binary version, {files.archive}",
            hint=f"dl fetch {published.name}",
        )
    raise missing(published, (f"{files.folder}/{files.train[0]}", files.archive), root=root)


def _content_of(path: Path) -> bytearray:
    """The file in memory that can be written to: torch warns of tensors over any other."""
    try:
        with path.open("rb") as file:
            content = bytearray(path.stat().st_size)
            size = file.readinto(content)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", hint="check the path and its permissions") from error
    return content[:size] if size != len(content) else content


def _labelled(files: Files, names: tuple[str, ...], size: int, content: Callable[[str], bytearray]) -> Labelled:
    """The checked records of some files. The images are channels last in memory, as they will be needed, without a detour."""
    count = size * len(names)
    images = torch.empty((count, 3, 32, 32), dtype=torch.uint8, memory_format=torch.channels_last)
    labels = torch.empty(count, dtype=torch.int64)
    for position, name in enumerate(names):
        raw = content(name)
        found = digest_of(raw, like=files.sha256[name])
        if found != files.sha256[name]:
            raise DataError(
                f"{name} of {files.folder} is not the published file: sha256 is {found}, expected {files.sha256[name]}",
                hint="fetch the file again",
            )
        rows = slice(position * size, (position + 1) * size)
        records = torch.frombuffer(raw, dtype=torch.uint8).reshape(size, files.labels + _PIXELS)
        images[rows] = records[:, files.labels :].reshape(-1, 3, 32, 32)
        labels[rows] = records[:, files.labels - 1]
    return Labelled(images, labels)
