"""``dl train --lr-find``: it suggests, and the run is the same without it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from dlcli.commands import lr_find
from dlcli.commands.lr_find import words
from dlcli.engine.range_test import RangeTest, Rising
from dlcli.runs.find import RunInfo, list_runs

SMALL = ("train", "digits", "limit_train=300", "--epochs", "1", "trainer.log_every=1")


def newest() -> RunInfo:
    return max(list_runs(), key=lambda run: run.id)


def weights(run: RunInfo) -> bytes:
    (path,) = sorted((run.path / "checkpoints").glob("step-*/model.safetensors"))
    return path.read_bytes()


def numbers(run: RunInfo) -> list[dict[str, Any]]:
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name != "time"} for line in lines]


def test_it_says_what_to_try_and_leaves_the_run_bit_for_bit_as_it_would_have_been(dl: Any) -> None:
    assert dl(*SMALL).code == 0
    plain = newest()
    answer = dl(*SMALL, "--lr-find")
    assert answer.code == 0, answer.err
    tested = newest()
    assert tested.id != plain.id
    assert weights(tested) == weights(plain)
    assert numbers(tested) == numbers(plain)
    assert "try optimizer.lr=" in answer.err
    assert "this run keeps optimizer.lr=" in answer.err
    assert (tested.path / "plots" / "lr_find.png").read_bytes().startswith(b"\x89PNG")
    assert tested.result is not None
    assert plain.result is not None
    assert tested.result.files["lr_find"] == "plots/lr_find.png"
    assert "lr_find" not in plain.result.files
    assert "try optimizer.lr=" in (tested.path / "log.txt").read_text()


def test_finetuning_can_be_tested_too(dl: Any, runs: Path) -> None:
    answer = dl("finetune", "data=digits", "limit_train=100", "--epochs", "1", "--lr-find")
    assert answer.code == 0, answer.err
    assert "range test: " in answer.err


def test_a_fast_attempt_takes_a_few_steps(dl: Any) -> None:
    answer = dl("train", "digits", "--fast-dev-run", "--lr-find")
    assert answer.code == 0, answer.err
    assert "range test: 10 steps at rates from 1e-07 to 10" in answer.err


def test_a_signal_during_the_test_ends_the_run_before_it_trains(dl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> RangeTest:
        os.kill(os.getpid(), signal.SIGTERM)
        return RangeTest.of([], [])

    monkeypatch.setattr(lr_find, "range_test", interrupted)
    answer = dl(*SMALL, "--lr-find")
    assert answer.code == 143
    assert f"dl train --resume {newest().id}" in answer.err
    assert not (newest().path / "metrics.jsonl").exists()


RATES = [Rising(total_steps=20)(step) for step in range(20)]


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([], "nothing to suggest"),
        ([2.0, 2.1] * 10, "there is nothing to suggest; this run keeps optimizer.lr=0.3"),
        (
            [2.0] * 10 + [1.5, 1.0, 0.5, 0.1, 0.1, 0.5, 2.0, 2.0, 2.0, 2.0],
            "(a tenth of the lowest); this run keeps optimizer.lr=0.3",
        ),
    ],
)
def test_it_suggests_only_where_the_loss_fell(losses: list[float], said: str) -> None:
    assert words(RangeTest.of(RATES[: len(losses)], losses), 0.3)[-1].endswith(said)
