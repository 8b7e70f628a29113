"""``dl data check`` and ``dl data show``: what is in a data set before anything is trained on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcli.augment.identity import Identity
from dlcli.commands.console import Talk
from dlcli.commands.session import plain_number
from dlcli.config.build import build
from dlcli.config.compose import compose
from dlcli.config.mistakes import check as check_values
from dlcli.config.mistakes import collect
from dlcli.config.schema import SPLITS
from dlcli.contracts import Augment, Batch, Column, DataBundle, DataSource, Split
from dlcli.data.inspect import Finding, inspect
from dlcli.errors import ConfigError, UsageError, did_you_mean
from dlcli.randomness import SampleKeys
from dlcli.report import terminal
from dlcli.report.images import to_uint8
from dlcli.report.sheet import image_rows
from dlcli.report.text import safe
from dlcli.runs.folder import write_file_atomically
from dlcli.runs.run import runs_root

_MOST_CLASSES = 12
_PNG = b"\x89PNG\r\n\x1a\n"
_STYLES = {"problem": "bold red", "warning": "yellow", "note": ""}


def load(overrides: Sequence[str], *, config_dir: str | None, workers: int) -> tuple[DataBundle, dict[str, Any]]:
    """Reads the data that the overrides of ``dl train`` choose; returns it with the composed configuration.

    Raises:
        ConfigError, UsageError, DataError, StorageError: as training would.
    """
    try:
        values = compose("train", list(overrides), config_dir=config_dir)
    except Exception as error:
        found = collect("train", overrides, config_dir)
        raise (ConfigError(found) if found else error) from error
    nodes = {name: values[name] for name in ("data", "augment")}
    found = check_values("train", values, overrides=["data=", "augment="])[1]
    found = [line for line in found if line.startswith(tuple(nodes))]
    if found:
        raise ConfigError(found)
    source = build("data", values["data"], workers=workers)
    assert isinstance(source, DataSource)
    return source.load(), values


def findings(bundle: DataBundle) -> list[Finding]:
    """Returns everything that people should know about the data: what reading it noticed, then what looking at it shows."""
    return [*(Finding(level="note", text=note) for note in bundle.notes), *inspect(bundle)]


def tell_findings(bundle: DataBundle, found: Sequence[Finding], talk: Talk) -> None:
    """Prints sizes, then one line per finding."""
    spec = bundle.spec
    sizes = ", ".join(f"{plain_number(len(part))} {name}" for name, part in _parts(bundle).items())
    shape = " x ".join(map(str, spec.shape))
    talk.line(f"{spec.name}: {spec.kind}s of {shape}, {len(spec.classes)} classes · {sizes}", style="bold")
    for finding in found:
        talk.line(f"{finding.level}: {finding.text}" + (f" · {finding.fix}" if finding.fix else ""), style=_STYLES[finding.level])
    if not any(finding.level != "note" for finding in found):
        talk.line("nothing wrong was found")


def show(
    bundle: DataBundle, augment_node: dict[str, Any], *, name: str, split: str, per_class: int, out: str | None, talk: Talk
) -> Path | None:
    """Draws a contact sheet of a split, augmented where an augmentation is chosen; returns the PNG, or None for a table.

    Raises:
        UsageError: there is no such split.
    """
    part = getattr(bundle, split, None) if split in SPLITS else None
    if part is None:
        have = ", ".join(_parts(bundle))
        raise UsageError(
            f"--split {split}: {bundle.spec.name} has {have}{did_you_mean(split, list(SPLITS))}", hint="--split train"
        )
    if bundle.spec.kind != "image":
        talk.show(_columns(bundle, part))
        return None
    augment = build("augment", augment_node, spec=bundle.spec)
    augmented = not isinstance(augment, Identity)
    rows, titles, captions = _augmented(bundle, part, augment, per_class) if augmented else _by_class(bundle, part, per_class)
    file = Path(out) if out else runs_root() / "data" / f"{bundle.spec.name}-{split}{f'-{name}' if augmented else ''}.png"
    _refuse_to_replace(file)
    write_file_atomically(file, image_rows(rows, titles, captions))
    shown = torch.cat(list(rows))[: 2 * len(captions)]
    talk.picture(terminal.gallery(shown, [captions[place % len(captions)].replace("\n", " ") for place in range(len(shown))]))
    talk.line(f"picture: {file}")
    return file


def _refuse_to_replace(file: Path) -> None:
    """Raises UsageError where writing a picture would put it under another name, or destroy what is no picture."""
    if file.suffix.lower() != ".png":
        raise UsageError(f"--out {file}: expected a name that ends in .png", hint="--out sheet.png")
    if file.is_symlink() or (file.exists() and (not file.is_file() or not file.read_bytes().startswith(_PNG))):
        raise UsageError(f"--out {file} exists and is no PNG picture; it was left alone", hint="another name")


def _parts(bundle: DataBundle) -> dict[str, Split]:
    return {name: part for name in SPLITS for part in [getattr(bundle, name)] if part is not None}


def _by_class(bundle: DataBundle, part: Split, per_class: int) -> tuple[list[Tensor], list[str], list[str]]:
    """A column per class, up to 12, and ``per_class`` examples below each other; a class with fewer repeats them."""
    targets = part.targets.cpu()
    labels = [label for label in range(len(bundle.spec.classes)) if bool((targets == label).any())]
    columns = []
    for label in labels[:_MOST_CLASSES]:
        rows = (targets == label).nonzero().flatten()
        columns.append(rows[torch.arange(per_class) % len(rows)])
    images = [to_uint8(_batch(part, row).inputs.cpu()) for row in torch.stack(columns, dim=1)]
    counts = targets.bincount(minlength=len(bundle.spec.classes))
    captions = [f"{bundle.spec.classes[label]}\n{int(counts[label])}" for label in labels[:_MOST_CLASSES]]
    return images, [""] * per_class, captions


def _augmented(bundle: DataBundle, part: Split, augment: Augment, per_class: int) -> tuple[list[Tensor], list[str], list[str]]:
    """One example of each class, up to 12, in the first row; below it as training would see it in so many steps."""
    targets = part.targets.cpu()
    firsts = [int((targets == label).nonzero()[0]) for label in range(len(bundle.spec.classes)) if bool((targets == label).any())]
    batch = _batch(part, torch.tensor(firsts[:_MOST_CLASSES]))
    images, titles = [to_uint8(batch.inputs.cpu())], ["original"]
    for step in range(per_class):
        images.append(to_uint8(augment.batch(batch, rng=SampleKeys(0, batch.index), step=step).inputs.cpu()))
        titles.append(f"augmented {step + 1}")
    return images, titles, [bundle.spec.classes[int(label)] for label in batch.targets]


def _batch(part: Split, rows: Tensor) -> Batch:
    return next(iter(part.batches(rows, len(rows))))


def _columns(bundle: DataBundle, part: Split) -> Any:
    """A table of the columns: what each is, its range or categories, what is missing, and the first three rows."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    batch = _batch(part, torch.arange(len(part)))
    table.add_column("column")
    table.add_column("values")
    table.add_column("missing", justify="right")
    for place in range(min(3, len(part))):
        table.add_column(safe(f"row {place + 1}: {bundle.spec.classes[int(batch.targets[place])]}"), justify="right")
    for place, column in enumerate(bundle.spec.columns):
        values = batch.inputs[:, place].tolist()
        missing = sum(map(math.isnan, values))
        cells = [_cell(value, column) for value in values[:3]]
        table.add_row(safe(column.name), safe(_range(column)), str(missing or ""), *map(safe, cells))
    return table


def _range(column: Column) -> str:
    if column.categories:
        return ", ".join(column.categories)[:60]
    return "" if column.low is None else f"{column.low:g} … {column.high:g}"


def _cell(value: float, column: Column) -> str:
    if math.isnan(value):
        return "–"
    return ("unknown", *column.categories)[int(value)] if column.categories else f"{value:g}"
