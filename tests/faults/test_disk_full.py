"""A disk that fills up at any call: exit code 74 with the bytes needed and free, nothing lost, and on it goes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dlcli.checkpoint import unpack
from dlcli.runs.find import list_runs
from dlcli.runs.run import checkpoint_names, read_checkpoint

TINY = (
    "digits",
    "--epochs",
    "2",
    "--quiet",
    "limit_train=96",
    "trainer.batch_size=16",
    "trainer.save_every=4",
    "model=mlp",
    "model.widths=[8]",
)
_OPEN = Path.open


class FullDisk:
    """Refuses the write or fsync number ``at`` inside of a run's folder, and every later one if it is ``lasting``."""

    def __init__(self, at: int, *, lasting: bool) -> None:
        self.calls, self.at, self.lasting, self.refused = 0, at, lasting, 0

    def tick(self) -> None:
        self.calls += 1
        if self.at and (self.calls == self.at or (self.lasting and self.calls > self.at)):
            self.refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Guarded:
    """A file that asks the disk before each write."""

    def __init__(self, file: Any, disk: FullDisk) -> None:
        self._file, self._disk = file, disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Guarded:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: Any) -> Any:
        try:
            self._disk.tick()
        except OSError:
            self._file.write(data[: len(data) // 2])  # what still fitted
            raise
        return self._file.write(data)


@contextmanager
def disk(at: int, *, lasting: bool = False) -> Iterator[FullDisk]:
    full, fsync = FullDisk(at, lasting=lasting), os.fsync

    def guarded_open(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = _OPEN(path, mode, *arguments, **options)
        return Guarded(file, full) if path.is_relative_to(os.environ["DL_RUNS"]) and mode in {"wb", "ab", "a"} else file

    def guarded_fsync(descriptor: int) -> None:
        full.tick()
        fsync(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", guarded_open)
        patch.setattr(os, "fsync", guarded_fsync)
        yield full


def outcome() -> dict[str, Any]:
    (run,) = list_runs()
    last = run.path / "checkpoints" / checkpoint_names(run.path)[-1]
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    return {
        "state": run.state,
        "tensors": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(last.glob("*.safetensors"))},
        "metrics": [{name: value for name, value in line.items() if name != "time"} for line in lines],
        "leftovers": [path.name for path in run.path.parent.rglob(".tmp-*")],
    }


@pytest.fixture(scope="module")
def undisturbed(dl: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(tmp_path_factory.mktemp("undisturbed")))
        with disk(0) as counted:
            assert dl("train", *TINY).code == 0
        return {"outcome": outcome(), "calls": counted.calls}


def check_filling_up(dl: Callable[..., Any], root: Path, at: int, undisturbed: dict[str, Any], *, lasting: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(root))
        with disk(at, lasting=lasting) as full:
            answer = dl("train", *TINY)
        assert full.refused
        assert answer.code == 74, (at, answer.err)
        assert "No space left on device (" in answer.err, at
        assert " bytes needed, " in answer.err, at
        assert " bytes free)" in answer.err, at
        runs = list(list_runs())
        for run in runs:
            for name in checkpoint_names(run.path):
                unpack(read_checkpoint(run.path, name), source=f"{at}: {name}")
        if not runs or runs[0].state != "finished":
            again = dl("train", "--resume", "--quiet") if runs else dl("train", *TINY)
            assert again.code == 0, (at, again.err)
        assert outcome() == undisturbed["outcome"], at


@pytest.mark.parametrize("lasting", [False, True])
def test_a_disk_that_fills_up_costs_nothing_but_the_time(
    dl: Callable[..., Any], tmp_path: Path, undisturbed: dict[str, Any], lasting: bool
) -> None:
    calls = undisturbed["calls"]
    for at in range(2 + lasting, calls, calls // 5):
        check_filling_up(dl, tmp_path / str(at), at, undisturbed, lasting=lasting)


@pytest.mark.full
@pytest.mark.parametrize("lasting", [False, True])
def test_a_disk_that_fills_up_at_any_call_costs_nothing_but_the_time(
    dl: Callable[..., Any], tmp_path: Path, undisturbed: dict[str, Any], lasting: bool
) -> None:
    for at in range(1, undisturbed["calls"] + 1):
        check_filling_up(dl, tmp_path / str(at), at, undisturbed, lasting=lasting)
