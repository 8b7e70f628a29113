"""One writer per run: the second one is told who holds it, and a dead one holds nothing."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dlcli.errors import LockedError, StorageError
from dlcli.runs import platform
from dlcli.runs.find import read_run
from dlcli.runs.lock import is_locked, lock_run, only_maker
from dlcli.runs.run import Run

HOLD = """
import sys, time
from dlcli.runs.run import Run
run = Run.create(verb="train", name="held", config=b"a: 1", information={"parent": None})
print(run.path, flush=True)
time.sleep(60)
"""


@contextmanager
def holder(code: str = HOLD) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that holds a new run."""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_who_holds_the_run() -> None:
    with holder() as (process, path):
        assert read_run(path).state == "running"
        with pytest.raises(LockedError, match=rf"is being written by process {process.pid} on ") as caught:
            Run.reopen(path)
        assert caught.value.code == 75


def test_a_run_is_free_once_its_process_is_killed() -> None:
    with holder() as (process, path):
        process.kill()
        process.wait()
        assert not is_locked(path)
        assert read_run(path).state == "interrupted"
        again = Run.reopen(path)
        assert again.id == path.name
        again.fail(KeyboardInterrupt())


def test_asking_whether_a_run_is_held_does_not_hold_it(tmp_path: Path) -> None:
    with lock_run(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    with lock_run(tmp_path) as file:
        file.seek(0)
        assert f"process {os.getpid()} on " in file.read()


def test_a_lock_that_is_tried_for_an_instant_by_a_listing_does_not_refuse_the_writer(tmp_path: Path) -> None:
    code = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); print(1, flush=True); time.sleep(0.1)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / ".lock")], stdout=subprocess.PIPE) as listing:
        assert listing.stdout is not None
        listing.stdout.readline()
        lock_run(tmp_path).close()


def test_a_folder_without_a_lock_or_with_a_link_or_a_pipe_for_one_is_not_held(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    assert not is_locked(tmp_path)
    (tmp_path / ".lock").unlink()
    os.mkfifo(tmp_path / ".lock")
    assert not is_locked(tmp_path)


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        lock_run(tmp_path / "missing")


def test_only_one_process_at_a_time_makes_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = functools.partial(platform.try_lock, patience=0)
    monkeypatch.setattr(platform, "try_lock", lambda descriptor, **_: impatient(descriptor))
    with only_maker(tmp_path / "mnist"), pytest.raises(LockedError, match="another process"), only_maker(tmp_path / "mnist"):
        pass
    with only_maker(tmp_path / "mnist"):
        pass


def test_eight_processes_at_once_make_eight_runs(tmp_path: Path) -> None:
    code = HOLD.replace("time.sleep(60)", "")
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(8)]
    paths = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0] * 8
    assert len(paths) == 8
    assert sorted(entry.name for entry in (tmp_path / "runs" / "train" / "held").iterdir()) == sorted(
        [".lock", *(Path(path).name for path in paths)]
    )
