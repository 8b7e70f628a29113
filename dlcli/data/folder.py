"""Folders of images, one folder per class: the user's own photos, and every data set that is published so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dlcli.contracts import DataBundle, DataSource, DataSpec, Split
from dlcli.data import remarks
from dlcli.data.decode import shown
from dlcli.data.identical import copies, holdout
from dlcli.data.layout import Files, Found, listing, scan
from dlcli.data.memory import Holdout, MemorySplit
from dlcli.data.reader import Reader
from dlcli.data.stream import StreamSplit
from dlcli.data.workers import Loader
from dlcli.errors import DataError, DlcliError, UsageError
from dlcli.randomness import SampleKeys

LARGEST = 2048  # pixels along a side: a batch of eight is 100 MB
SAMPLE = 1000  # images that are looked at where the set is too large to look at all


@dataclass(frozen=True, kw_only=True)
class ImageFolder(DataSource):
    """Images in ROOT/CLASS/…, or in ROOT/PART/CLASS/… with the parts train, val (valid, validation) and test.

    Without parts, train, val and test are 70, 15 and 15 % of each class. Without test, the given val becomes the test
    part, for what selects must not test, and val is split off train; without val, only that. Copies of a file stay
    together wherever dlcli chooses. Classes are the class folders, sorted by name; hidden files are left out.

    Every image becomes a square of ``size`` pixels (see :func:`dlcli.data.decode.decode`), and the spec's shape is that
    square: augmentation crops train images out of it and gives back its size, a network of another input size resizes
    inside. ``eval_crop`` is for val and test alone: 0.875 shows them as "resize to 256, crop 224" does, while train sees
    the whole square, from which crops are taken at random.

    The radii for attacks are 8/255 (linf), and for l2 the 0.5 of CIFAR-10's 32 pixels times ``size / 32``, which changes
    the average pixel as much: 3.5 at 224, where 3 is common on ImageNet.

    Args:
        root: the folder.
        size: side of the decoded square in pixels, in [8, 2048].
        channels: 3, or 1 for grey.
        split_seed: chooses which images are held back.
        val_share, test_share: of all images, or of train where the test part is given; in (0, 1), their sum below 1.
        eval_crop: share of the shorter side that val and test keep, in (0, 1].
        memory_limit: bytes that the decoded images may take; beyond it they are read from disk batch by batch.
        skip_unreadable: leave out files that are no image, and say so; else they are an error. A set that does not fit
            into memory is decoded once to find them.
        workers: processes that decode ahead, for sets beyond ``memory_limit``.

    Raises:
        ValueError: a value is out of range.
    """

    root: str | None = None
    size: int = 64
    channels: int = 3
    split_seed: int = 0
    val_share: float = 0.15
    test_share: float = 0.15
    eval_crop: float = 1.0
    memory_limit: int = 1_000_000_000
    skip_unreadable: bool = False
    workers: int = 0

    def __post_init__(self) -> None:
        if not 8 <= self.size <= LARGEST:
            raise ValueError(f"size must be in 8 … {LARGEST} pixels, got {self.size}")
        if self.channels not in {1, 3}:
            raise ValueError(f"channels must be 1 (grey) or 3 (colour), got {self.channels}")
        for name, share in (("val_share", self.val_share), ("test_share", self.test_share)):
            if not 0 < share < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {share}")
        if self.val_share + self.test_share >= 1:
            raise ValueError(
                f"val_share and test_share must leave something for train, got {self.val_share} and {self.test_share}"
            )
        if not 0 < self.eval_crop <= 1:
            raise ValueError(f"eval_crop must be in (0, 1], got {self.eval_crop}")
        if self.memory_limit < 0:
            raise ValueError(f"memory_limit must be a number of bytes, got {self.memory_limit}")

    def load(self) -> DataBundle:
        """Lists, splits and, where they fit into memory, decodes the images.

        Raises:
            UsageError: ``root`` is not set.
            DataError: the layout is wrong (:func:`dlcli.data.layout.scan`), or files cannot be read.
            StorageError: the folder is missing.
        """
        if self.root is None:
            raise UsageError("data.root is not set: which folder of images?", hint="--data FOLDER")
        root = Path(self.root).expanduser()
        found = scan(root)
        groups = copies(found.files)
        parts = self._parts(found, torch.arange(len(found.files)) if groups is None else groups)
        bytes_needed = len(found.files) * self.channels * self.size**2
        fits = bytes_needed <= self.memory_limit
        content = self._decoded(found, parts) if fits else self._on_disk(found, parts)
        _refuse_missing_classes(found, content.splits["train"])
        notes = [
            *remarks.of_layout(found, content.splits),
            *remarks.of_copies(found, parts, groups),
            *remarks.of_unreadable(content.unreadable, root),
            *remarks.of_sizes(content.seen, size=self.size, total=len(found.files)),
            *remarks.of_classes(found.classes, content.splits),
            *(
                []
                if fits
                else remarks.of_streaming(len(found.files), bytes_needed, limit=self.memory_limit, workers=self.workers)
            ),
        ]
        splits = content.splits
        return DataBundle(
            self._spec(root, found.classes, content.pixels), splits["train"], splits["val"], splits["test"], tuple(notes)
        )

    @property
    def has_parts(self) -> bool:
        """Whether the folder says itself what is train and what is test. Raises what ``load`` raises."""
        return len(scan(Path(str(self.root)).expanduser()).parts) > 1

    def names(self, part: str) -> list[str]:
        """Returns the file of each example of train, val or test, relative to the folder, with / between its parts.

        Raises what ``load`` raises.
        """
        root = Path(str(self.root)).expanduser()
        found = scan(root)
        groups = copies(found.files)
        rows = self._parts(found, torch.arange(len(found.files)) if groups is None else groups)[part]
        if self.skip_unreadable:
            reader = Reader(found.files, self.size, self.channels)
            broken = [start + at for start in range(0, len(rows), SAMPLE) for at in _broken(reader, rows[start : start + SAMPLE])]
            good = torch.ones(len(rows), dtype=torch.bool)
            good[broken] = False
            rows = rows[good]
        return [Path(found.files.name(row)).as_posix() for row in rows.tolist()]

    def _parts(self, found: Found, groups: Tensor) -> dict[str, Tensor]:
        """The rows of train, val and test: what the folder says, and what is missing held back from train."""
        given = dict(found.parts)
        if "test" not in given and "val" in given:
            given["test"] = given.pop("val")
        train = given["train"]
        different = len(torch.unique(groups[train]))
        if "test" not in given:
            _refuse_lone_images(found, groups)
            outer = self._held(found.files, train, groups, round(self.test_share * different))
            given["test"], train = train[outer.held], train[outer.rest]
        if "val" not in given:
            inner = self._held(found.files, train, groups, round(self.val_share * different))
            given["val"], train = train[inner.held], train[inner.rest]
        return {"train": train, "val": given["val"], "test": given["test"]}

    def _held(self, files: Files, rows: Tensor, groups: Tensor, size: int) -> Holdout:
        different = len(torch.unique(groups[rows]))
        if different < 2:
            where = shown(files.root)
            raise DataError(
                f"{where} has too few different images to hold any back: {different} of {len(rows)}", hint="add images"
            )
        return holdout(files.targets[rows], groups[rows], min(max(size, 1), different - 1), seed=self.split_seed)

    def _decoded(self, found: Found, parts: Mapping[str, Tensor]) -> _Content:
        """All images in memory."""
        reader = Reader(found.files, self.size, self.channels)
        images = {part: reader.read(rows, self._crop(part)) for part, rows in parts.items()}
        errors = sorted((error for each in images.values() for _, error in each.errors), key=str)
        self._refuse(errors, found, looked_at=len(found.files))
        splits: dict[str, Split] = {}
        for part, each in images.items():
            pixels, targets = each.pixels, found.files.targets[parts[part]]
            if each.errors:
                good = torch.ones(len(targets), dtype=torch.bool)
                good[[at for at, _ in each.errors]] = False
                pixels, targets = pixels[good], targets[good]
            splits[part] = MemorySplit(pixels.permute(0, 3, 1, 2), targets)
        seen = [kind for each in images.values() for kind in each.seen if kind is not None]
        return _Content(splits, images["train"].pixels, seen, errors)

    def _on_disk(self, found: Found, parts: Mapping[str, Tensor]) -> _Content:
        """Splits that read as they go; what can be known of the set is known from a sample of train."""
        reader = Reader(found.files, self.size, self.channels)
        train = parts["train"]
        order = SampleKeys(self.split_seed, torch.arange(len(train))).bits("data/sample", 0, ()).argsort(stable=True)
        sample = train[order[:SAMPLE].sort().values]
        if self.skip_unreadable:
            looked_at = torch.cat(list(parts.values()))
        else:
            looked_at = torch.unique(torch.cat([sample, (found.files.sizes <= 0).nonzero().flatten()]))
        broken: dict[int, DlcliError] = {}
        for rows in torch.split(looked_at, SAMPLE):
            broken |= {int(rows[at]): error for at, error in reader.read(rows, 1.0).errors}
        errors = sorted(broken.values(), key=str)
        self._refuse(errors, found, looked_at=len(looked_at))
        out = torch.tensor(sorted(broken), dtype=torch.int64)
        loader = Loader(reader, workers=self.workers)
        splits: dict[str, Split] = {}
        for part, rows in parts.items():
            good = rows[~torch.isin(rows, out)]
            splits[part] = StreamSplit(loader, good, found.files.targets[good], crop=self._crop(part))
        images = reader.read(sample[~torch.isin(sample, out)], 1.0)
        return _Content(splits, images.pixels, [kind for kind in images.seen if kind is not None], errors)

    def _crop(self, part: str) -> float:
        return 1.0 if part == "train" else self.eval_crop

    def _refuse(self, errors: Sequence[DlcliError], found: Found, *, looked_at: int) -> None:
        """Raises DataError naming the first five files that cannot be read, unless they may be left out."""
        if not errors or self.skip_unreadable:
            return
        reasons = "; ".join(remarks.within(found.files.root, error.message) for error in errors[:5])
        more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
        hint = "remove them, or leave them out with data.skip_unreadable=true"
        where = shown(found.files.root)
        raise DataError(f"{where}: {len(errors)} of {looked_at} files cannot be used: {reasons}{more}", hint=hint)

    def _spec(self, root: Path, classes: tuple[str, ...], pixels: Tensor) -> DataSpec:
        mean, std = _statistics(pixels)
        return DataSpec(
            name=re.sub(r"[^A-Za-z0-9._-]+", "-", root.resolve().name).strip("-._")[:64] or "photos",
            shape=(self.channels, self.size, self.size),
            classes=classes,
            mean=mean,
            std=std,
            # As published for CIFAR-10 and for ImageNet: what can be seen is smaller in a larger photo.
            epsilon={"linf": (4 if self.size >= 224 else 8) / 255, "l2": 0.5 * self.size / 32},
        )


@dataclass(frozen=True, eq=False)
class _Content:
    """What was read: the splits, pixels of train for mean and std (N, S, S, C), what the files were, what was no image."""

    splits: Mapping[str, Split]
    pixels: Tensor
    seen: Sequence[tuple[int, int, str]]
    unreadable: Sequence[DlcliError]


def _statistics(pixels: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, of uint8 (N, S, S, C) as fractions of 255; exact, from counts of the levels.

    The deviation of a channel without any is one level, so that nothing divides by zero.
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean, std = [], []
    for channel in range(pixels.shape[-1]):
        counts = torch.zeros(256, dtype=torch.int64)
        for chunk in torch.split(pixels, 1024):
            counts += torch.bincount(chunk[..., channel].flatten(), minlength=256)
        shares = counts.double() / counts.sum()
        mean.append(float((shares * levels).sum()))
        std.append(max(float((shares * (levels - mean[-1]) ** 2).sum().sqrt()), 1 / 255))
    return tuple(mean), tuple(std)


def _broken(reader: Reader, rows: Tensor) -> list[int]:
    """Positions in ``rows`` of the files that are no image."""
    return [at for at, _ in reader.read(rows, 1.0).errors]


def _refuse_lone_images(found: Found, groups: Tensor) -> None:
    """Raises DataError where a class cannot be in train and in another part as well."""
    pairs = torch.unique(torch.stack([found.files.targets, groups]), dim=1)
    counts = torch.bincount(pairs[0], minlength=len(found.classes))
    lone = [found.classes[number] for number in (counts < 2).nonzero().flatten().tolist()]
    if lone:
        what = "has one image only" if len(lone) == 1 else "have one image only each"
        raise DataError(
            f"{shown(found.files.root)}: {listing(lone)} {what} (copies of a file count once); train and test need one each",
            hint="add images, 10 or more a class, or remove the class",
        )


def _refuse_missing_classes(found: Found, train: Split) -> None:
    counts = torch.bincount(train.targets, minlength=len(found.classes))
    missing = [found.classes[number] for number in (counts == 0).nonzero().flatten().tolist()]
    if missing:
        raise DataError(
            f"{shown(found.files.root)}: no readable image of {listing(missing)} is left to train on",
            hint="add images, or remove the class",
        )
