"""What every run shares: its record, its failure, and what is printed at its end."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import torch

from dlcli.commands.session import failing, finished, plain_number, print_result, recorded
from dlcli.config.compose import compose
from dlcli.config.invocation import Invocation
from dlcli.config.schema import Settings, checked_settings
from dlcli.contracts import Metric
from dlcli.errors import DataError, Interrupted
from dlcli.runs.find import read_run
from dlcli.runs.run import Run

INVOCATION = Invocation(verb="train", arguments=("train", "digits"), overrides=("seed=1",), sweep="s1", trial=2)


def settings(*overrides: str) -> Settings:
    return checked_settings("train", compose("train", ["experiment=digits", *overrides]))


def new_run(verb: str = "train") -> Run:
    return Run.create(verb=verb, name="toy", config=b"", information={"parent": None})


def test_a_run_records_how_it_was_made() -> None:
    with recorded(settings("seed=1"), INVOCATION, name="digits", parent=None, device=torch.device("cpu")) as run:
        own = read_run(run.path).information
        assert own["command"] == "dl train digits"
        assert own["overrides"] == ["seed=1"]
        assert (own["sweep"], own["trial"], own["parent"], own["fast_dev_run"]) == ("s1", 2, None, False)
        assert own["threads"] == torch.get_num_threads()
        assert own["device"].startswith("cpu (")
        assert b"seed: 1\n" in (run.path / "config.yaml").read_bytes()
        run.finish(seconds=0.0, metrics={}, files={})


def test_the_users_name_goes_before_the_experiments() -> None:
    with recorded(settings("name=mine"), INVOCATION, name="digits", parent=None, device=torch.device("cpu")) as run:
        assert run.path.parent.name == "mine"
        run.finish(seconds=0.0, metrics={}, files={})


def test_an_exception_is_recorded_and_goes_on_with_the_log_named() -> None:
    run = new_run()
    with pytest.raises(DataError) as caught, failing(run):
        raise DataError("odd")
    assert read_run(run.path).state == "failed"
    assert caught.value.__notes__ == [f"log: {run.path}/log.txt"]


@pytest.mark.parametrize(
    ("verb", "hint"), [("train", "dl train --resume "), ("finetune", "dl finetune --resume "), ("attack", None)]
)
def test_who_stops_a_fit_is_told_how_it_goes_on(verb: str, hint: str | None) -> None:
    run = new_run(verb)
    with pytest.raises(Interrupted) as caught, failing(run):
        raise Interrupted("stopped by SIGINT", signal_number=2)
    assert caught.value.hint == (None if hint is None else hint + run.id)
    assert read_run(run.path).state == "interrupted"


def test_a_result_is_printed_byte_for_byte_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run()
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    result = finished(run, Invocation(verb="train"), seconds=1.0, metrics={"test/accuracy": Metric(0.5)}, files={})
    assert out.buffer.getvalue() == b""  # type: ignore[attr-defined]
    print_result(result, Invocation(verb="train", json=True))
    assert out.buffer.getvalue() == (run.path / "result.json").read_bytes()  # type: ignore[attr-defined]


def test_metrics_that_are_not_finite_are_null() -> None:
    run = new_run()
    finished(run, Invocation(verb="train"), seconds=1.0, metrics={"test/nll": Metric(float("inf"))}, files={})
    assert json.loads((run.path / "result.json").read_text())["metrics"]["test/nll"]["value"] is None


def test_the_first_file_is_opened_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    monkeypatch.setattr("dlcli.runs.platform.open_with_desktop", opened.append)
    run = new_run()
    finished(run, Invocation(verb="train", open=True), seconds=1.0, metrics={}, files={"curves": "plots/curves.png"})
    assert opened == [run.path / "plots" / "curves.png"]


def test_large_numbers_are_readable() -> None:
    assert plain_number(55000) == "55 000"
