"""The one module that knows systems apart, and that nothing light needs more than it has."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcli.runs import platform

BLOCKED = "import sys; sys.modules['fcntl'] = None; sys.modules['resource'] = None; "


def test_a_lock_is_free_taken_and_free_again(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as first, path.open("r+") as second:
        assert platform.try_lock(first.fileno())
        assert not platform.try_lock(second.fileno())
        first.close()
        assert platform.try_lock(second.fileno())


def test_a_patient_locker_gets_a_lock_that_is_freed_meanwhile(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(1, flush=True); time.sleep(0.3)",
            str(tmp_path / "lock"),
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    with (tmp_path / "lock").open("r+") as file:
        assert not platform.try_lock(file.fileno())
        assert platform.try_lock(file.fileno(), patience=5)
    holder.communicate()


@pytest.mark.parametrize(
    "code", ["import dlcli", "from dlcli.cli import main; main(['--help'])", "from dlcli.cli import main; main(['runs'])"]
)
def test_light_commands_work_without_fcntl(python: Callable[..., Any], code: str) -> None:
    answer = python(BLOCKED + code)
    assert answer.code == 0, answer.err


def test_without_fcntl_a_run_cannot_be_made_and_the_reason_is_said(python: Callable[..., Any], tmp_path: Path) -> None:
    code = (
        "from dlcli.errors import StorageError\nfrom dlcli.runs.run import Run\n"
        "try:\n    Run.create(verb='train', name='x', config=b'', information={})\n"
        "except StorageError as error:\n    print(error.message)\n"
    )
    assert "no fcntl" in python(BLOCKED.replace("; ", "\n") + code).out


def test_a_file_system_that_cannot_sync_folders_is_accepted_and_a_failing_disk_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def failing(number: int) -> Callable[[int], None]:
        def fsync(_descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        return fsync

    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    platform.sync_folder(tmp_path)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        platform.sync_folder(tmp_path)


def test_free_space_is_that_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    there, missing = platform.free_bytes(tmp_path), platform.free_bytes(tmp_path / "not" / "yet")
    assert there is not None
    assert missing is not None
    assert there > 0
    assert abs(there - missing) < 1 << 30


@pytest.mark.parametrize(("system", "program"), [("linux", "xdg-open"), ("darwin", "open")])
def test_files_are_shown_with_the_desktops_own_program(monkeypatch: pytest.MonkeyPatch, system: str, program: str) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: started.append(command))
    platform.open_with_desktop(Path("plots/curves.png"))
    assert started == [[program, "plots/curves.png"]]
