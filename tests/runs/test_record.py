"""What a run says about itself: nothing secret, byte for byte the same when read again, and odd files are refused."""

from __future__ import annotations

import json
import math
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dlcli.errors import DataError
from dlcli.runs.record import Result, describe_environment, now, read_json, read_result, rerun_command

ENTRY: dict[str, Any] = {"value": 0.994, "low": 0.992, "high": 0.995, "n": 10000, "method": "wilson"}


def result(path: Path = Path("there"), **metrics: Any) -> Result:
    return Result(
        "train", "1", None, 12.34567, path, metrics={"test/accuracy": ENTRY, **metrics}, files={"curves": "plots/curves.png"}
    )


def test_a_result_has_the_shape_that_every_verb_shares() -> None:
    assert json.loads(result().to_json()) == {
        "schema": 1,
        "verb": "train",
        "id": "1",
        "parent": None,
        "seconds": 12.346,
        "metrics": {"test/accuracy": ENTRY},
        "files": {"curves": "plots/curves.png"},
    }


def test_a_result_that_is_read_is_the_one_that_was_written_byte_for_byte(tmp_path: Path) -> None:
    count = {"value": 3, "low": None, "high": None, "n": None, "method": None}
    written = result(tmp_path, **{"attack/forwards": count}).to_json()
    (tmp_path / "result.json").write_bytes(written)
    assert read_result(tmp_path).to_json() == written


def test_a_null_metric_reads_as_nan() -> None:
    assert math.isnan(result(**{"a/b": {**ENTRY, "value": None}}).value("a/b"))
    assert result().value("test/accuracy") == 0.994


def test_a_result_shows_itself_in_a_notebook_without_per_class_figures_and_without_markup_from_names() -> None:
    shown = result(**{"test/recall/3": ENTRY, "test/<b>": ENTRY})._repr_html_()
    assert "0.9940" in shown
    assert "[0.9920, 0.9950]" in shown
    assert "recall" not in shown
    assert "test/&lt;b&gt;" in shown


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": []},
        {"metrics": {"a": 3}},
        {"metrics": {"a": {}}},
        {"metrics": {"a": {**ENTRY, "value": "0.9"}}},
        {"metrics": {"a": {**ENTRY, "value": math.inf}}},
        {"files": 3},
        {"seconds": "soon"},
        {"seconds": 10**400},
        {"id": None, "seconds": None},
    ],
)
def test_a_garbled_result_is_a_data_error(tmp_path: Path, change: dict[str, Any]) -> None:
    content = json.loads(result().to_json()) | change
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="lacks or garbles"):
        read_result(tmp_path)


@pytest.mark.parametrize("missing", ["verb", "id", "parent", "seconds", "metrics", "files"])
def test_a_result_with_a_key_missing_is_a_data_error(tmp_path: Path, missing: str) -> None:
    content = json.loads(result().to_json())
    del content[missing]
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=missing):
        read_result(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100_000, b"[1]", b'{"schema": 2}', b" " * 4_000_001])
def test_a_record_that_is_none_is_a_data_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"run\.json"):
        read_json(path)


def test_a_missing_record_is_told_apart_from_a_bad_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "run.json")
    with pytest.raises(DataError, match="no plain file"):
        read_json(tmp_path)


def test_nothing_of_the_environment_is_recorded_but_what_changes_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "HOME", "USER"):
        monkeypatch.setenv(name, "canary-4711")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = describe_environment()
    assert found["environment"]["OMP_NUM_THREADS"] == "1"
    assert "canary" not in json.dumps(found)
    assert {"python", "dlcli", "torch"} <= found["versions"].keys()


def test_outside_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert describe_environment()["git"] is None


def test_the_rerun_command_survives_a_shell() -> None:
    arguments = ["train", "mnist", "model.widths=[4,6]", "name=it's $HOME"]
    assert shlex.split(rerun_command(arguments)) == ["dl", *arguments]


def test_times_are_utc_and_sort_as_text() -> None:
    first, second = now(), now()
    assert first <= second
    assert abs((datetime.fromisoformat(first) - datetime.now(UTC)).total_seconds()) < 60
