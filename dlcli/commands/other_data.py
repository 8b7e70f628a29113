"""``dl evaluate --data OTHER``: examples of a model's classes that come from elsewhere, to see what a shift costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcli.checkpoint import Checkpoint
from dlcli.config.build import build
from dlcli.contracts import DataBundle, DataSpec, Split
from dlcli.data.columns import named
from dlcli.data.csv import read_csv
from dlcli.data.encoding import encode
from dlcli.data.folder import ImageFolder
from dlcli.data.layout import scan
from dlcli.data.memory import MemorySplit
from dlcli.data.stream import StreamSplit
from dlcli.data.table import Table
from dlcli.errors import DataError, UsageError, did_you_mean


@dataclass(frozen=True)
class Other:
    """Examples of another data set as a model knows them, their targets the model's class numbers; its name, and notes."""

    split: Split
    name: str
    notes: tuple[str, ...]


def other_data(node: Mapping[str, Any], trained: Checkpoint, *, trained_on: Mapping[str, Any], split: str, workers: int) -> Other:
    """Returns the part ``split`` of another data set.

    Own tables, and own folders without parts, are used whole: nothing of them was trained on. Classes are matched by name.

    Args:
        trained_on: the node of the data that the model was trained on.

    Raises:
        UsageError: the data are of another kind, have other classes, channels or columns, or no such part.
        DataError, StorageError: they cannot be read.
    """
    spec = trained.spec
    source = build("data", node, workers=workers)
    if isinstance(source, Table) and spec.kind == "table":
        return _table(source, spec)
    if isinstance(source, ImageFolder) and spec.kind == "image":
        # Decoded as the model's own data were, and never through a smaller size.
        crop = float(trained_on.get("eval_crop", source.eval_crop))
        source = replace(source, size=max(spec.shape[1:]), channels=spec.shape[0], eval_crop=crop)
        if crop != 1:  # in memory lie all parts with their own crops; from disk they are read with one
            source = replace(source, memory_limit=0)
    bundle: DataBundle = source.load()
    own = bundle.spec
    if own.kind != spec.kind:
        reason = f"--data {own.name} holds {own.kind}s; the model was trained on {spec.kind}s of {spec.name}"
        raise UsageError(reason, hint=f"--data with {spec.kind}s")
    if [(column.name, column.categories) for column in own.columns] != [(each.name, each.categories) for each in spec.columns]:
        raise UsageError(f"--data {own.name} has other columns than {spec.name}", hint="--data FILE.csv --target COLUMN")
    if own.kind == "image" and own.shape[0] not in {1, spec.shape[0]}:
        what = {1: "grey images", 3: "colour images"}
        raise UsageError(
            f"--data {own.name} holds {what.get(own.shape[0], 'images of other channels')}; "
            f"the model knows {what.get(spec.shape[0], f'{spec.shape[0]} channels')}",
            hint="a model of such images: dl runs",
        )
    whole = isinstance(source, ImageFolder) and len(scan(Path(str(source.root)).expanduser()).parts) == 1
    chosen = _joined(bundle) if whole else getattr(bundle, split)
    if chosen is None:
        raise UsageError(f"{own.name} has no {split} data", hint="--split train")
    numbers = class_numbers(own.classes, spec.classes, name=own.name)
    return Other(chosen.relabelled(numbers), own.name, bundle.notes)


def class_numbers(own: Sequence[str], model: Sequence[str], *, name: str) -> Tensor:
    """Returns the model's number of each class, int64. Raises UsageError where the model does not know one."""
    unknown = [label for label in own if label not in model]
    if unknown:
        near = did_you_mean(unknown[0], model)
        raise UsageError(
            f"--data {name} has {'classes' if len(unknown) > 1 else 'a class'} that the model does not know: {named(unknown)}"
            f"{near or f'; it knows {named(model)}'}",
            hint="the model's names for the classes; or dl finetune --run RUN --data DIR, which learns others",
        )
    return torch.tensor([list(model).index(label) for label in own])


def _table(source: Table, spec: DataSpec) -> Other:
    """All rows of a file, encoded as the model's own data were."""
    if not source.path or not source.target:
        raise UsageError("data.path and data.target have no value", hint="--data FILE.csv --target COLUMN")
    sheet = read_csv(Path(source.path).expanduser())
    if source.target not in sheet.header:
        near = did_you_mean(source.target, sheet.header) or f"; it has {named(sheet.header)}"
        raise UsageError(f"--target {source.target}: {sheet.source} has no such column{near}", hint="--target COLUMN")
    cells = sheet.cells(source.target)
    labels = tuple(dict.fromkeys(cells))
    if "" in labels:
        raise DataError(f"{sheet.source}: line {sheet.lines[cells.index('')]}: the target '{source.target}' is empty")
    numbers = class_numbers(labels, spec.classes, name=sheet.source)
    inputs, notes = encode(sheet.without(source.target), spec)
    targets = numbers[torch.tensor([labels.index(cell) for cell in cells])]
    return Other(MemorySplit(inputs, targets), sheet.source, notes)


def seen_in_training(inputs: Tensor, train: Split) -> int:
    """Returns how many rows (N, D) are also among those of ``train``, all cells alike."""
    batch = next(iter(train.batches(torch.arange(len(train)), len(train))))
    known = {row.tobytes() for row in batch.inputs.cpu().nan_to_num(-1e30).numpy()}
    return sum(row.tobytes() in known for row in inputs.nan_to_num(-1e30).numpy())


def _joined(bundle: DataBundle) -> MemorySplit | StreamSplit:
    """All parts of a folder as one; they lie in memory, or on disk, together."""
    parts = [part for part in (bundle.train, bundle.val, bundle.test) if part is not None]
    targets = torch.cat([part.targets for part in parts])
    if isinstance(parts[0], StreamSplit):
        rows = torch.cat([part.rows for part in parts if isinstance(part, StreamSplit)])
        last = parts[-1]
        assert isinstance(last, StreamSplit)
        return StreamSplit(last.loader, rows, targets, crop=last.crop)
    return MemorySplit(torch.cat([part.inputs for part in parts if isinstance(part, MemorySplit)]), targets)
