"""Predictions of the rows of CSV files; of two classes, ranked by the chance of the second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded
from dlcli.commands.predictions import Answers, Predicted, Prediction
from dlcli.data.csv import Sheet, read_csv
from dlcli.data.encoding import encode, identifier_of
from dlcli.engine.device import memory_errors


def predict_rows(
    files: Sequence[Path], loaded: Loaded, answers: Answers, *, batch_size: int, talk: Talk, check: Callable[[], None]
) -> Predicted:
    """Reads and predicts tables; their columns are found by name, others are left out and named.

    Raises:
        DataError: a file is no table, or lacks columns of the model.
        StorageError: a file cannot be read.
    """
    spec = loaded.model.spec
    sheets: list[tuple[Path, Sheet, Tensor]] = []
    for path in files:
        sheet = read_csv(path)
        inputs, notes = encode(sheet, spec)
        sheets.append((path, sheet, inputs))
        for note in notes:
            talk.line(f"{path.name}: {note}")
    keys = {identifier_of(sheet, spec) for _, sheet, _ in sheets}
    key = next(iter(keys)) if len(keys) == 1 else None
    items: list[Prediction] = []
    what, advice = f"predicting {batch_size} rows at once", f"--batch-size {max(1, batch_size // 4)}"
    with memory_errors(what, advice):
        for path, sheet, inputs in sheets:
            made = answers.to(_logits(loaded, inputs, batch_size, check))
            names = sheet.cells(key) if key is not None else [None] * len(made)
            for one, line, name in zip(made, sheet.lines, names, strict=True):
                items.append(replace(one(str(path), ""), line=line, key=name))
    return answers.predicted(items, key_name=key or "")


def _logits(loaded: Loaded, inputs: Tensor, size: int, check: Callable[[], None]) -> Tensor:
    device = next(iter(loaded.model.buffers())).device
    parts = []
    for part in torch.split(inputs, size):
        check()
        with torch.inference_mode():
            parts.append(loaded.model(part.to(device)).float().cpu())
    return torch.cat(parts)
