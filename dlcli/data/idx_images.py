"""Sets of images that are published as MNIST is: four IDX files, of train and test images and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from dlcli.data.fetchable import Remote, digest_of
from dlcli.data.idx import read_idx
from dlcli.data.splits import Labelled

_SIZE = 28


@dataclass(frozen=True, kw_only=True)
class IdxFiles:
    """The four files of such a set.

    Args:
        train, test: names of the files with the images and with the labels, without .gz.
        train_size, test_size: how many images are published.
        sha256: of the decompressed files, by name; the content of a file that is here must be the published one.
        packed: of the published .gz files, by name with .gz: sha256 or md5, told by the length. Where only these are
            known, a file that is plain or was packed by somebody else is checked by its structure alone.
        first_label: the number that stands for class 0.
        transposed: whether rows and columns of the published images are swapped.
    """

    train: tuple[str, str] = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    test: tuple[str, str] = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    train_size: int = 60_000
    test_size: int = 10_000
    sha256: Mapping[str, str] = field(default_factory=dict)
    packed: Mapping[str, str] = field(default_factory=dict)
    first_label: int = 0
    transposed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The four names."""
        return (*self.train, *self.test)


@dataclass(frozen=True, eq=False)
class IdxImages:
    """What the four files hold, and what people should know of it, one line each."""

    train: Labelled
    test: Labelled
    notes: tuple[str, ...]


def read_idx_images(files: IdxFiles, find: Callable[[str], Path]) -> IdxImages:
    """Reads and checks the four files.

    Args:
        find: name without .gz → the file, plain or .gz.

    Raises:
        DataError: a file is damaged or not the published one.
        StorageError: a file is missing or cannot be read.
    """
    unknown: list[str] = []

    def read(names: tuple[str, str], size: int) -> Labelled:
        paths = [find(name) for name in names]
        for name, path in zip(names, paths, strict=True):
            if name not in files.sha256 and not _is_published(path, files.packed.get(f"{name}.gz")):
                unknown.append(path.name)
        images = read_idx(paths[0], sha256=files.sha256.get(names[0]), shape=(size, _SIZE, _SIZE))
        labels = read_idx(paths[1], sha256=files.sha256.get(names[1]), shape=(size,))
        if files.transposed:
            images = images.transpose(1, 2)
        # A label below the first one becomes negative, so that it is seen.
        return Labelled(images.unsqueeze(1), labels.to(torch.int64) - files.first_label)

    train, test = read(files.train, files.train_size), read(files.test, files.test_size)
    note = f"checked by structure alone, since they are not the published .gz: {', '.join(unknown)}"
    return IdxImages(train, test, (note,) if unknown else ())


def remotes(
    folders: Sequence[str], *, sizes: Mapping[str, int], digests: Mapping[str, str], files: IdxFiles
) -> tuple[Remote, ...]:
    """Returns the published .gz files of a set, for :class:`~dlcli.data.fetchable.Published`.

    Args:
        folders: addresses that end in "/" and hold all of the files.
        sizes: bytes of each file, by name with .gz.
        digests: sha256 of each, by the same names.
        files: what the names hold.
    """
    return tuple(
        Remote(
            name=name,
            urls=tuple(folder + name for folder in folders),
            size=size,
            sha256=digests[name],
            unpacked=files.sha256.get(name.removesuffix(".gz")),
        )
        for name, size in sizes.items()
    )


def _is_published(path: Path, digest: str | None) -> bool:
    """Whether the file is byte for byte the published one. One that cannot be read is left to :func:`read_idx`."""
    try:
        return digest is not None and digest_of(path, like=digest) == digest
    except OSError:
        return False
