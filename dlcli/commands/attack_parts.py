"""What an attack has finished, in the run's folder, so that a killed one goes on behind it."""

from __future__ import annotations

import io
import time
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcli.commands.attack_store import digest_of_weights
from dlcli.contracts import Split
from dlcli.engine.perturb import AttackReport
from dlcli.errors import StorageError
from dlcli.runs.folder import read_file, remove_folder
from dlcli.runs.run import Run

FOLDER = "parts"
# Seconds of finished batches that a kill may cost; what is over sooner writes nothing.
EVERY = 10.0
_TENSORS = ("inputs", "adversarial", "targets", "clean", "attacked", "distances", "index")


class Parts:
    """The batches of one attack, in order, those that an interrupted process has left first.

    Args:
        models: whose weights the batches depend on. Everything else that they depend on is in the run's configuration.
    """

    def __init__(self, run: Run, *models: torch.nn.Module) -> None:
        self._run = run
        self._models = models
        self._written = 0
        self._waiting: list[AttackReport] = []
        self._since = time.monotonic()

    def known(self, split: Split) -> list[AttackReport]:
        """Returns what is there of the first examples of ``split``, up to the first file that is damaged or of something else."""
        found: list[AttackReport] = []
        while (path := self._path(self._written)).exists():
            part = _read(path, key=self._key, split=split, start=sum(len(each.targets) for each in found))
            if part is None:
                break
            found.append(part)
            self._written += 1
        self._since = time.monotonic()
        return found

    def add(self, report: AttackReport) -> None:
        """Takes a finished batch, and writes those that wait once the oldest of them has waited long."""
        self._waiting.append(report)
        if time.monotonic() - self._since >= EVERY:
            self._run.write(f"{FOLDER}/{self._path(self._written).name}", _archive(joined(self._waiting), key=self._key))
            self._written, self._waiting, self._since = self._written + 1, [], time.monotonic()

    def clear(self) -> None:
        """Removes the files: the run is finished and has everything."""
        if (self._run.path / FOLDER).is_dir():
            remove_folder(self._run.path / FOLDER)

    def _path(self, number: int) -> Path:
        return self._run.path / FOLDER / f"{number:05d}.npz"

    @cached_property
    def _key(self) -> str:
        return digest_of_weights(*self._models)


def joined(parts: list[AttackReport]) -> AttackReport:
    """Returns batches, at least one, as if they were one."""
    tensors: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in parts]) for name in _TENSORS}
    goals = [part.goals for part in parts if part.goals is not None]
    forwards, backwards = sum(part.forwards for part in parts), sum(part.backwards for part in parts)
    return AttackReport(**tensors, forwards=forwards, backwards=backwards, goals=torch.cat(goals) if goals else None)


def _archive(report: AttackReport, *, key: str) -> bytes:
    tensors = {name: getattr(report, name) for name in (*_TENSORS, "goals") if getattr(report, name) is not None}
    buffer = io.BytesIO()
    cost = np.array([report.forwards, report.backwards])
    np.savez(buffer, allow_pickle=False, key=np.array(key), cost=cost, **{name: own.numpy() for name, own in tensors.items()})
    return buffer.getvalue()


def _read(path: Path, *, key: str, split: Split, start: int) -> AttackReport | None:
    """A file's examples; None where it is damaged, or depends on other weights, or holds other examples than come next."""
    try:
        with np.load(io.BytesIO(read_file(path)), allow_pickle=False) as archive:
            if str(archive["key"]) != key:
                return None
            tensors = {name: torch.from_numpy(archive[name]) for name in (*_TENSORS, "goals") if name in archive.files}
            forwards, backwards = archive["cost"].tolist()
        report = AttackReport(**tensors, forwards=forwards, backwards=backwards)
        count = len(report.targets)
        batch = next(iter(split.batches(torch.arange(start, start + count), count)))
    except (StorageError, OSError, KeyError, ValueError, TypeError, EOFError, IndexError, RuntimeError, zipfile.BadZipFile):
        return None
    same = torch.equal(batch.inputs.cpu(), report.inputs) and torch.equal(batch.targets.cpu(), report.targets)
    return report if same else None
