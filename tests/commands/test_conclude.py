"""The end of a fit: the best weights are tested as they lie on disk, and mistakes are shown first."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dlcli.commands.conclude import mistakes_first, read_metrics
from dlcli.contracts import Predictions
from dlcli.data.memory import MemorySplit
from dlcli.runs.find import list_runs
from dlcli.runs.run import Run

TINY = ("digits", "--epochs", "2", "--quiet", "limit_train=200", "trainer.save_every=2")


def interrupted(dl: Callable[..., Any], *more: str) -> Path:
    """A run that has trained to its end but was not tested."""
    assert dl("train", *TINY, *more).code == 0
    path = next(list_runs()).path
    (path / "result.json").unlink()
    return path


def test_the_test_figures_are_those_of_the_best_checkpoint(dl: Callable[..., Any]) -> None:
    path = interrupted(dl, "--json")
    assert dl("train", "--resume", "--quiet").code == 0
    own = json.loads((path / "result.json").read_text())["metrics"]["test/accuracy"]
    answer = dl("evaluate", "--checkpoint", "best", "--json", "--quiet")
    assert json.loads(answer.out)["metrics"]["test/accuracy"] == own


@pytest.mark.parametrize("damage", ["gone", "flipped"])
def test_without_a_usable_best_checkpoint_the_newest_is_tested_and_that_is_said(dl: Callable[..., Any], damage: str) -> None:
    # Weights that do not move: the first epoch is the best, and no later one is better.
    path = interrupted(dl, "trainer.epochs=3", "optimizer.lr=1e-12", "model=mlp", "model.norm=none")
    best = path / "checkpoints" / json.loads((path / "checkpoints" / "index.json").read_text())["best"]
    if damage == "gone":
        shutil.rmtree(best)
    else:
        data = bytearray((best / "model.safetensors").read_bytes())
        data[-1] ^= 1
        (best / "model.safetensors").write_bytes(bytes(data))
    answer = dl("train", "--resume", "--quiet")
    assert answer.code == 0
    assert "the best checkpoint cannot be used" in answer.err


def test_an_unterminated_last_line_of_metrics_is_left_out() -> None:
    run = Run.create(verb="train", name="toy", config=b"", information={"parent": None})
    run.log({"value": 1})
    run.metrics_size()
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"value": 2')
    assert read_metrics(run) == [{"value": 1}]
    run.fail(KeyboardInterrupt())


def test_confident_mistakes_come_first_then_the_least_confident_hits() -> None:
    logits = torch.tensor([[3.0, 0.0], [0.5, 0.0], [0.0, 2.0], [0.0, 0.1]])
    split = MemorySplit(torch.rand(4, 1, 8, 8), torch.tensor([0, 0, 0, 0]))
    shown = mistakes_first(split, Predictions(logits, split.targets, split.index), ("cat", "dog"), count=4)
    assert shown is not None
    assert [caption.split()[0] for caption in shown.captions] == ["dog", "dog", "cat", "cat"]
    assert shown.captions == ["dog 88 %, is cat", "dog 52 %, is cat", "cat 62 %", "cat 95 %"]
    assert shown.images.shape == (4, 8, 8, 3)


def test_tables_have_no_pictures() -> None:
    split = MemorySplit(torch.rand(2, 3), torch.tensor([0, 1]))
    predictions = Predictions(torch.rand(2, 2), split.targets, split.index)
    assert mistakes_first(split, predictions, ("a", "b"), count=2) is None
