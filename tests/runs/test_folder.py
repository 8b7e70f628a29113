"""Whole or not at all: whatever call fails while a file or folder is written, the old one stands and nothing is left over."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcli.errors import StorageError
from dlcli.runs import platform
from dlcli.runs.folder import (
    read_file,
    read_folder,
    remove_folder,
    remove_leftovers,
    storage_error,
    write_file_atomically,
    write_folder_atomically,
)

OLD, NEW = {"a": b"old", "b": b"old too"}, {"a": b"new!", "c": b"new"}


def content(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in path.iterdir()}


class FailingDisk:
    """Fails at call number ``at`` (from 1) of those that write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, number: int = errno.ENOSPC) -> None:
        self.calls, self.at, self.number = 0, at, number
        for name in ("mkdir", "fsync", "rename", "replace"):
            monkeypatch.setattr(os, name, self.wrapped(getattr(os, name)))

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self.at:
                raise OSError(self.number, os.strerror(self.number))
            return function(*arguments, **options)

        return call


def calls_of(action: Callable[[], object]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        disk = FailingDisk(patch, at=0)
        action()
    return disk.calls


def test_a_folder_is_written_and_replaced_whole(tmp_path: Path) -> None:
    for files in (OLD, NEW):
        write_folder_atomically(tmp_path / "it", files)
        assert content(tmp_path / "it") == files
    assert [entry.name for entry in tmp_path.iterdir()] == ["it"]


@pytest.mark.parametrize("before", [None, OLD])
def test_whichever_call_fails_a_folder_is_the_old_or_the_new_one_and_nothing_is_left_over(
    tmp_path: Path, before: dict[str, bytes] | None
) -> None:
    def setup(name: str) -> Path:
        path = tmp_path / name / "it"
        path.parent.mkdir()
        if before is not None:
            write_folder_atomically(path, before)
        return path

    probe = setup("probe")
    calls = calls_of(lambda: write_folder_atomically(probe, NEW))
    assert calls >= 6  # a folder, two files, the folder, its name, the parent
    for at in range(1, calls + 1):
        path = setup(str(at))
        with pytest.MonkeyPatch.context() as patch:
            FailingDisk(patch, at)
            with pytest.raises(StorageError, match="7 bytes needed"):
                write_folder_atomically(path, NEW)
        last = at == calls  # the parent's fsync: the new one has its name already
        wanted = NEW if last else before
        assert (content(path) if path.exists() else None) == wanted
        leftovers = [entry.name for entry in path.parent.iterdir() if entry != path]
        assert all(name.startswith(".tmp-trash") for name in leftovers) if last else leftovers == []


def test_whichever_call_fails_a_file_is_the_old_or_the_new_one_and_nothing_is_left_over(tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    path.write_bytes(b"old")
    calls = calls_of(lambda: write_file_atomically(tmp_path / "probe.json", b"new"))
    assert calls == 4  # its folder, which is there already and need not be made, the file, its name, the parent
    for at in range(2, calls + 1):
        path.write_bytes(b"old")
        with pytest.MonkeyPatch.context() as patch:
            FailingDisk(patch, at)
            with pytest.raises(StorageError, match="3 bytes needed"):
                write_file_atomically(path, b"new")
        assert path.read_bytes() == (b"new" if at == calls else b"old")
        assert not list(tmp_path.glob(".tmp-*"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc which file a descriptor is")
def test_every_file_and_both_folders_are_synced_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.split("-")[0])
        fsync(descriptor)

    def noted_rename(source: Any, goal: Any) -> None:
        events.append("rename")
        rename(source, goal)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    write_folder_atomically(tmp_path / "it", NEW)
    assert events == ["a", "c", ".tmp", "rename", tmp_path.name.split("-")[0]]


def test_a_removed_folder_is_gone_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    write_folder_atomically(tmp_path / "it", OLD)
    remove_folder(tmp_path / "it")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError):
        remove_folder(tmp_path / "it")


def test_leftovers_of_any_process_are_removed_and_nothing_else_and_no_link_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write_folder_atomically(outside, OLD)
    inside = tmp_path / "inside"
    write_folder_atomically(inside / ".tmp-step-00000001-4711", OLD)
    write_folder_atomically(inside / "step-00000002", OLD)
    (inside / ".tmp-index.json-4711").write_bytes(b"half")
    (inside / ".tmp-link").symlink_to(outside)
    (inside / ".lock").touch()
    remove_leftovers(inside)
    assert sorted(entry.name for entry in inside.iterdir()) == [".lock", "step-00000002"]
    assert content(outside) == OLD


def test_reading_a_folder_leaves_links_and_folders_out(tmp_path: Path) -> None:
    write_folder_atomically(tmp_path / "it", OLD)
    (tmp_path / "it" / "link").symlink_to(tmp_path / "it" / "a")
    (tmp_path / "it" / "folder").mkdir()
    assert read_folder(tmp_path / "it") == OLD


def test_what_cannot_be_read_is_a_storage_error_that_names_it(tmp_path: Path) -> None:
    for read in (read_folder, read_file):
        with pytest.raises(StorageError, match="missing: No such file"):
            read(tmp_path / "missing")


def test_a_full_disk_names_what_is_needed_and_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "free_bytes", lambda _path: 1024)
    error = storage_error(OSError(errno.ENOSPC, "No space left on device"), Path("runs/x"), needed=123456)
    assert error.message == "cannot write runs/x: No space left on device (123,456 bytes needed, 1,024 bytes free)"
    assert error.code == 74
    assert error.hint is not None
    assert "--resume" in error.hint


def test_missing_permission_says_which_setting_names_another_folder() -> None:
    error = storage_error(PermissionError(errno.EACCES, "Permission denied"), Path("/runs"))
    assert error.message == "no access to /runs: Permission denied"
    assert error.hint is not None
    assert "DL_RUNS" in error.hint
