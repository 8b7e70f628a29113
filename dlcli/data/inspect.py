"""What is wrong, odd or worth knowing in a data set, whatever reader it came from: ``dl data check``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dlcli.contracts import DataBundle, Split
from dlcli.data.decode import shown
from dlcli.data.layout import listing
from dlcli.data.memory import MemorySplit
from dlcli.data.stream import StreamSplit

_CHUNK, _STREAMED = 4096, 128  # examples looked at at once, in memory and from disk
_UNEVEN, _VERY_UNEVEN = 3, 10  # times that the largest class outnumbers the smallest
_ID_ROWS = 20  # rows below which distinct numbers in order are no surprise
_ID_DENSITY = 0.2  # distinct whole numbers that fill more of their range than this number rows; prices and counts do not


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        level: "problem" (figures would be wrong), "warning" (they may mislead) or "note".
        text: one line.
        fix: what to do about it; one line, or None.
    """

    level: Literal["problem", "warning", "note"]
    text: str
    fix: str | None = None


@dataclass(eq=False)
class _Look:
    """What one pass over a split gathers."""

    name: str
    targets: Tensor
    digests: np.ndarray  # a 64-bit hash of each example's bytes, uint64 (N,)
    constant: int = 0  # images of one level only
    unreadable: dict[int, str] = field(default_factory=dict)  # position and reason
    table: Tensor | None = None  # (N, D), in the order of ``index``


def inspect(bundle: DataBundle) -> list[Finding]:
    """Looks at every example once and returns what was found, problems first.

    Class counts and missing classes; the same bytes twice, within a part and across parts (a leak), also under two
    classes; images that cannot be read or are of one level; columns that are constant, that number the rows, that lack
    values or hold infinities.
    """
    splits = {name: split for name in ("train", "val", "test") if (split := getattr(bundle, name)) is not None}
    looks = {name: _look(name, split) for name, split in splits.items()}
    found = [
        *_unreadable(looks.values()),
        *_classes(bundle.spec.classes, looks),
        *_duplicates(looks, rows=bundle.spec.kind == "table"),
        *_images(looks.values()),
        *_columns(bundle, looks),
    ]
    order = ("problem", "warning", "note")
    return sorted(found, key=lambda finding: order.index(finding.level))


def _look(name: str, split: Split) -> _Look:
    look = _Look(name, split.targets.cpu(), np.empty(0, dtype=np.uint64))
    digests, rows, constant = [], [], []
    for chunk in _raw(split, look):
        flat = chunk.flatten(1)
        digests.append(_digests(flat))
        if chunk.ndim == 2:
            rows.append(flat)
        else:
            constant.append(flat.amin(1) == flat.amax(1))
    if digests:
        look.digests = np.concatenate(digests)
    if constant:
        of_one_level = torch.cat(constant)
        of_one_level[list(look.unreadable)] = False
        look.constant = int(of_one_level.sum())
    for position, reason in look.unreadable.items():  # like no other, for its reason names the file
        look.digests[position] = np.frombuffer(hashlib.blake2b(reason.encode(), digest_size=8).digest(), dtype=np.uint64)[0]
    if rows:
        index = split.index.cpu() if isinstance(split, MemorySplit) else torch.arange(len(split))
        look.table = torch.cat(rows)[index.argsort()]
    return look


def _raw(split: Split, look: _Look) -> Iterator[Tensor]:
    """The examples as they are stored, on the CPU: uint8 images where they are, else what the batches hold."""
    order = torch.arange(len(split))
    if isinstance(split, MemorySplit):
        yield from torch.split(split.inputs.cpu(), _CHUNK)
    elif isinstance(split, StreamSplit):
        for number, images in enumerate(split.read(order, _STREAMED)):
            look.unreadable |= {number * _STREAMED + at: error.message for at, error in images.errors}
            yield images.pixels
    else:
        for batch in split.batches(order, _CHUNK):
            yield batch.inputs.cpu()


def _digests(rows: Tensor) -> np.ndarray:
    """A hash of each row's bytes, uint64. Two different rows share one in a million data sets of a million rows."""
    width = rows.shape[1] * rows.element_size()
    if width == 0:
        return np.zeros(len(rows), dtype=np.uint64)
    data = rows.contiguous().numpy().tobytes()
    hashes = [hashlib.blake2b(data[at : at + width], digest_size=8).digest() for at in range(0, len(data), width)]
    return np.frombuffer(b"".join(hashes), dtype=np.uint64)


def _unreadable(looks: Iterable[_Look]) -> Iterator[Finding]:
    reasons = [reason for look in looks for reason in look.unreadable.values()]
    if reasons:
        more = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        text = f"{len(reasons)} files cannot be read: {'; '.join(reasons[:5])}{more}"
        yield Finding("problem", text, "remove them, or data.skip_unreadable=true")


def _classes(classes: tuple[str, ...], looks: Mapping[str, _Look]) -> Iterator[Finding]:
    for name, look in looks.items():
        counts = torch.bincount(look.targets, minlength=len(classes))
        if len(classes) <= 10:
            each = ", ".join(f"{shown(label)} {int(count):,}" for label, count in zip(classes, counts, strict=True))
        else:
            each = f"{len(classes)} classes of {int(counts.min()):,} to {int(counts.max()):,}"
        yield Finding("note", f"{name}: {len(look.targets):,} examples ({each})")
        missing = [classes[number] for number in (counts == 0).nonzero().flatten().tolist()]
        if missing:
            text = f"{name} has no example of {listing(missing)}"
            if name == "train":
                yield Finding("problem", f"{text}: it cannot be learnt", "add examples, or remove the class")
            else:
                yield Finding("warning", f"{text}: nothing can be said of it there", "more examples, or another data.split_seed")
        if name == "train" and not missing and counts.max() >= _UNEVEN * counts.min():
            ratio = float(counts.max() / counts.min())
            most, least = shown(classes[int(counts.argmax())]), shown(classes[int(counts.argmin())])
            text = f"{most} is {ratio:.1f} times as frequent in train as {least}; accuracy alone says little"
            fix = "loss.class_weights=balanced, and look at the figures of each class"
            yield Finding("warning" if ratio >= _VERY_UNEVEN else "note", text, fix)


def _duplicates(looks: Mapping[str, _Look], *, rows: bool) -> Iterator[Finding]:
    """Copies of an example; equal rows of a table may well be different people, so there they are no more than a note."""
    names = list(looks)
    for name, look in looks.items():
        _, first, inverse = np.unique(look.digests, return_index=True, return_inverse=True)
        copies = len(look.digests) - len(first)
        if copies:
            repeated = np.flatnonzero(np.arange(len(inverse)) != first[inverse])
            conflicts = int((look.targets[repeated] != look.targets[first[inverse[repeated]]]).sum())
            alike = ("row equals another", "rows equal another")
            copied = ("example is a copy of another", "examples are copies of another")
            text = f"{name}: {copies:,} {_plural(copies, *(alike if rows else copied))}"
            yield Finding("note", f"{text} (such as positions {first[inverse[repeated[0]]]} and {repeated[0]})")
            if conflicts:
                text = f"{name}: {conflicts:,} of them {_plural(conflicts, 'has', 'have')} another class than the first"
                fix = None if rows else "keep the one with the right class"
                yield Finding(
                    "note" if rows else "warning", f"{text}; no model gets {'all' if rows else 'both'} of these right", fix
                )
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            shared = np.isin(looks[other].digests, looks[one].digests)
            if count := int(shared.sum()):
                row = int(np.flatnonzero(shared)[0])
                twin = int(np.flatnonzero(looks[one].digests == looks[other].digests[row])[0])
                share = f"{count:,} of {len(shared):,} {other}"
                pair = f"(such as {other} {row} = {one} {twin})"
                if rows:
                    text = f"{share} rows equal one in {one} {pair}: a leak where they stand for the same person or thing"
                    yield Finding("note", text)
                else:
                    fix = f"remove one of each; {other} figures flatter by up to {100 * count / len(shared):.2g} points"
                    yield Finding("warning", f"leak: {share} examples are also in {one} {pair}", fix)


def _images(looks: Iterable[_Look]) -> Iterator[Finding]:
    for look in looks:
        if look.constant:
            count = look.constant
            text = f"{look.name}: {count:,} {_plural(count, 'image is', 'images are')} of one colour only"
            yield Finding("warning", text, "look at them: an empty picture teaches nothing")


def _columns(bundle: DataBundle, looks: Mapping[str, _Look]) -> Iterator[Finding]:
    for look in looks.values():
        infinite = 0 if look.table is None else int(look.table.isinf().sum())
        if infinite:
            text = f"{look.name}: {infinite:,} {_plural(infinite, 'value is', 'values are')} infinite"
            yield Finding("problem", text, "replace them by a number or leave the cell empty")
    train = looks["train"].table if "train" in looks else None
    if train is None or not len(train):
        return
    columns = bundle.spec.columns
    for number in range(train.shape[1]):
        name = shown(columns[number].name) if columns else f"column {number}"
        is_category = bool(columns and columns[number].categories)
        values = train[:, number]
        known = values[~values.isnan()]
        missing = 1 - len(known) / len(values)
        if missing:
            level: Literal["warning", "note"] = "warning" if missing > 0.5 else "note"
            fix = f"drop {name}: most of it is guessed" if missing > 0.5 else None
            yield Finding(level, f"{name}: {100 * missing:.1f} % of train have no value; the model puts the mean there", fix)
        if len(known) and known.min() == known.max():
            yield Finding("warning", f"{name} is the same in all of train: nothing can be learnt from it", f"drop {name}")
        elif not missing and _numbers_rows(values, is_category=is_category):
            text = f"{name} has another value in every row, as an identifier has: a network can only learn it by heart"
            yield Finding("warning", text, f"drop {name}")


def _numbers_rows(values: Tensor, *, is_category: bool) -> bool:
    """Whether a column numbers the rows: no value comes twice, and they stand in order or are whole and close together."""
    if len(values) < _ID_ROWS or len(torch.unique(values)) < len(values):
        return False
    steps = values.diff()
    in_order = bool((steps > 0).all() or (steps < 0).all())
    whole = bool((values == values.round()).all())
    return is_category or in_order or (whole and len(values) >= _ID_DENSITY * float(values.max() - values.min() + 1))


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
