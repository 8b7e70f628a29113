"""One run folder: complete from its birth, finished only by its result, and never left half written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlcli.errors import DataError, Interrupted, LockedError, StorageError, UsageError
from dlcli.runs import folder
from dlcli.runs.find import read_run
from dlcli.runs.run import Run, check_name, checkpoint_name, checkpoint_names, read_checkpoint, read_config, runs_root


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Frees what a test leaves open, as the end of a process would."""
    opened: list[Run] = []
    construct = Run.__init__
    monkeypatch.setattr(Run, "__init__", lambda self, *arguments: (construct(self, *arguments), opened.append(self))[0])
    yield
    for run in opened:
        run._close_metrics()
        run._lock.close()


def new_run(name: str = "toy") -> Run:
    return Run.create(verb="train", name=name, config=b"seed: 0\n", information={"parent": None, "command": "dl train toy"})


def files(step: int) -> dict[str, bytes]:
    return {"model.safetensors": b"weights %d" % step, "MANIFEST.json": b"{}"}


def leftovers(path: Path) -> list[str]:
    return [entry.name for entry in path.rglob(".tmp-*")]


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


def test_runs_are_in_dl_runs_else_in_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert runs_root() == tmp_path / "runs"
    monkeypatch.setenv("DL_RUNS", "")
    assert runs_root() == Path("runs")


def test_a_new_run_is_complete_and_held(tmp_path: Path) -> None:
    run = new_run()
    assert run.path.parent == tmp_path / "runs" / "train" / "toy"
    assert read_config(run.path) == b"seed: 0\n"
    information = json.loads((run.path / "run.json").read_text())
    assert {
        "schema": 1,
        "id": run.id,
        "verb": "train",
        "name": "toy",
        "end": None,
        "failure": None,
    }.items() <= information.items()
    assert information["versions"]["torch"]
    assert read_run(run.path).state == "running"


def test_ids_sort_by_time() -> None:
    ids = [new_run().id for _ in range(5)]
    assert len(set(ids)) == 5
    assert [name[:19] for name in ids] == sorted(name[:19] for name in ids)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "-rf", "~", "$HOME", "x" * 65, "a b", "ä", "a\n", "a.", ".hidden"]
)
def test_a_name_that_could_leave_its_folder_or_confuse_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a run name"):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "first_try", "v1.2-final", "9", "x" * 64])
def test_a_plain_name_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_whichever_call_fails_a_run_that_cannot_be_made_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str
) -> None:
    real, calls, refused = getattr(os, call), [0], [0]

    def failing(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == refused[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **options)

    monkeypatch.setattr(os, call, failing)
    new_run()
    total = calls[0]
    assert total >= 2
    for number in range(1, total + 1):
        calls[0], refused[0] = 0, number
        with pytest.raises(StorageError, match=r"No space left on device \([\d,]+ bytes needed, [\d,]+ bytes free"):
            new_run()
        assert leftovers(tmp_path) == []


def test_a_run_that_was_killed_at_its_birth_is_cleared_by_the_next_one_of_its_name(tmp_path: Path) -> None:
    unborn = tmp_path / "runs" / "train" / "toy" / ".tmp-20260101-000000.000-abcdef"
    unborn.mkdir(parents=True)
    (unborn / "config.yaml").write_bytes(b"")
    new_run()
    assert leftovers(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_a_storage_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DL_RUNS", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="Not a directory"):
        new_run()


def test_a_finished_run_is_one_with_a_result(tmp_path: Path) -> None:
    run = new_run()
    result = run.finish(
        seconds=1.23456, metrics={"test/accuracy": {"value": 0.5, "low": None, "high": None, "n": 2, "method": None}}, files={}
    )
    assert (run.path / "result.json").read_bytes() == result.to_json()
    info = read_run(run.path)
    assert info.state == "finished"
    assert info.result == read_run(run.path).result
    assert info.information["end"] is not None


def test_a_failed_run_says_why_and_is_free(tmp_path: Path) -> None:
    run = new_run()
    try:
        raise DataError("the data are odd")
    except DataError as error:
        run.fail(error)
    info = read_run(run.path)
    assert (info.state, info.problem, info.information["failure"]["code"]) == ("failed", "the data are odd", 65)
    assert "Traceback" in (run.path / "log.txt").read_text()


def test_a_stopped_run_is_interrupted() -> None:
    run = new_run()
    run.fail(Interrupted("stopped", signal_number=15))
    assert read_run(run.path).state == "interrupted"


def test_a_failure_on_a_full_disk_is_not_hidden_by_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run()
    run.log({"value": 1.0})
    with monkeypatch.context() as patch:
        full_disk(patch)
        patch.setattr(Path, "open", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        run.fail(StorageError("full"))
    assert read_run(run.path).state == "interrupted"  # nothing could be said, but the lock is free


def test_metrics_are_lines_and_non_finite_values_null() -> None:
    run = new_run()
    for value in (0.5, float("nan"), float("inf"), 3):
        run.log({"step": 1, "value": value})
    size = run.metrics_size()
    data = (run.path / "metrics.jsonl").read_bytes()
    assert size == len(data)
    assert [json.loads(line)["value"] for line in data.splitlines()] == [0.5, None, None, 3]


def test_metrics_are_cut_back_to_where_a_checkpoint_left_them_and_go_on_there() -> None:
    run = new_run()
    run.log({"value": 1})
    size = run.metrics_size()
    run.log({"value": 2})
    run.fail(Interrupted("killed", signal_number=15))
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"value": 2, "half a li')
    again = Run.reopen(run.path)
    again.rewind_metrics(size)
    again.log({"value": 3})
    again.metrics_size()
    assert [json.loads(line)["value"] for line in (run.path / "metrics.jsonl").read_text().splitlines()] == [1, 3]


@pytest.mark.parametrize("size", [-1, 1])
def test_metrics_shorter_than_their_checkpoint_says_are_refused(size: int) -> None:
    with pytest.raises(DataError, match="its checkpoint expects"):
        new_run().rewind_metrics(size)


def test_a_full_disk_under_the_metrics_is_a_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run()
    run.log({"value": 1})
    with monkeypatch.context() as patch:
        full_disk(patch)
        with pytest.raises(StorageError, match=r"metrics\.jsonl: No space left on device \(8,192 bytes needed"):
            run.metrics_size()
    run.fail(StorageError("full"))


def test_best_and_the_last_two_checkpoints_are_kept_and_indexed() -> None:
    run = new_run()
    for step, best in ((10, 10), (20, 10), (30, 10), (40, 40), (50, 40), (60, 40)):
        run.save_checkpoint(step, files(step), best_step=best)
        kept = [int(name.removeprefix("step-")) for name in checkpoint_names(run.path)]
        assert kept == {10: [10], 20: [10, 20], 30: [10, 20, 30], 40: [30, 40], 50: [40, 50], 60: [40, 50, 60]}[step]
        index = json.loads((run.checkpoint_folder / "index.json").read_text())
        assert index == {"best": checkpoint_name(best), "last": checkpoint_name(step)}


def test_before_the_first_validation_there_is_no_best() -> None:
    run = new_run()
    run.save_checkpoint(1, files(1), best_step=None)
    assert json.loads((run.checkpoint_folder / "index.json").read_text()) == {"best": None, "last": "step-00000001"}


def test_a_best_checkpoint_that_is_gone_is_not_indexed() -> None:
    run = new_run()
    run.save_checkpoint(2, files(2), best_step=1)
    assert json.loads((run.checkpoint_folder / "index.json").read_text())["best"] is None


def test_saving_what_is_there_already_writes_no_checkpoint_but_makes_up_for_the_index() -> None:
    run = new_run()
    for step in (1, 2, 3):
        run.save_checkpoint(step, files(step), best_step=3)
    goal = run.checkpoint_folder / checkpoint_name(3)
    before = goal.stat().st_ino
    (run.checkpoint_folder / "index.json").write_text('{"best": "step-00000001", "last": "step-00000002"}')
    shutil.copytree(goal, run.checkpoint_folder / checkpoint_name(1))  # killed before it was dropped
    run.save_checkpoint(3, files(3), best_step=3)
    assert goal.stat().st_ino == before
    assert json.loads((run.checkpoint_folder / "index.json").read_text()) == {"best": goal.name, "last": goal.name}
    assert checkpoint_names(run.path) == ["step-00000002", "step-00000003"]


def test_a_checkpoint_of_the_same_step_with_other_content_replaces_it() -> None:
    run = new_run()
    run.save_checkpoint(3, files(3), best_step=None)
    run.save_checkpoint(3, files(4), best_step=None)
    assert read_checkpoint(run.path, checkpoint_name(3)) == files(4)
    assert leftovers(run.path) == []


def test_on_a_full_disk_a_checkpoint_that_would_be_replaced_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run()
    run.save_checkpoint(3, files(3), best_step=None)
    with monkeypatch.context() as patch:
        full_disk(patch)
        with pytest.raises(StorageError, match="bytes needed"):
            run.save_checkpoint(3, files(4), best_step=None)
    assert read_checkpoint(run.path, checkpoint_name(3)) == files(3)


def test_damaged_checkpoints_of_later_steps_do_not_push_out_the_good_one() -> None:
    run = new_run()
    for step in (10, 40, 50):
        run.save_checkpoint(step, files(step), best_step=10)
    # 40 and 50 turned out to be damaged, so the run goes on from 10.
    run.save_checkpoint(20, files(20), best_step=10)
    assert checkpoint_names(run.path) == ["step-00000010", "step-00000020"]


def test_only_whole_checkpoints_have_a_checkpoints_name() -> None:
    run = new_run()
    for name in ("step-00000002", "step-100000000", "step-00000010", "step-x", "step-1", ".tmp-step-00000003-1"):
        (run.checkpoint_folder / name).mkdir(parents=True)
    (run.checkpoint_folder / "step-00000004").symlink_to(run.path)
    assert checkpoint_names(run.path) == ["step-00000002", "step-00000010", "step-100000000"]


def test_a_reopened_run_is_held_and_clear_of_leftovers_everywhere() -> None:
    run = new_run()
    run.save_checkpoint(1, files(1), best_step=None)
    run.write("plots/curves.png", b"png")
    run.fail(Interrupted("stopped", signal_number=2))
    for place in ("", "checkpoints/", "plots/"):
        (run.path / f"{place}.tmp-half-4711").write_bytes(b"half")
    (run.checkpoint_folder / ".tmp-trash-step-00000000-4711").mkdir()
    again = Run.reopen(run.path)
    assert leftovers(run.path) == []
    assert again.information["failure"] is None
    with pytest.raises(LockedError):
        Run.reopen(run.path)


def test_a_finished_run_is_not_reopened_and_stays_free() -> None:
    run = new_run()
    run.finish(seconds=0.0, metrics={}, files={})
    for _ in range(2):
        with pytest.raises(UsageError, match="is finished"):
            Run.reopen(run.path)


@pytest.mark.parametrize("place", ["metrics.jsonl", "log.txt", ".lock", "run.json", "checkpoints", "plots/curves.png"])
def test_a_run_with_links_is_not_written_through(tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    run = new_run()
    run.fail(Interrupted("stopped", signal_number=2))
    link = run.path / place
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(victim)
    with pytest.raises(DataError, match="is a link or a device"):
        Run.reopen(run.path)
    assert victim.read_text() == "precious"


def test_a_run_with_a_pipe_in_it_does_not_hang(tmp_path: Path) -> None:
    run = new_run()
    run.fail(Interrupted("stopped", signal_number=2))
    os.mkfifo(run.path / "metrics.jsonl")
    found: list[BaseException] = []

    def reopen() -> None:
        try:
            Run.reopen(run.path)
        except DataError as error:
            found.append(error)

    thread = threading.Thread(target=reopen, daemon=True)
    thread.start()
    thread.join(5)
    assert len(found) == 1


def test_writing_a_file_of_a_run_is_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run()
    assert run.write("plots/curves.png", b"old") == "plots/curves.png"
    with monkeypatch.context() as patch:
        full_disk(patch)
        with pytest.raises(StorageError):
            run.write("plots/curves.png", b"new")
    assert (run.path / "plots" / "curves.png").read_bytes() == b"old"
    assert leftovers(run.path) == []


def test_temporary_names_start_so_that_no_listing_takes_them_for_runs() -> None:
    assert folder.TEMPORARY.startswith(".")
