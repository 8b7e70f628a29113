"""The end of a fit: the best weights are tested as they lie on disk, and mistakes are shown first."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcli.checkpoint import unpack
from dlcli.commands.conclude import read_metrics
from dlcli.runs.find import list_runs
from dlcli.runs.run import Run, read_checkpoint

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


def test_what_val_says_of_the_probabilities_is_kept_with_the_best_weights(dl: Callable[..., Any]) -> None:
    assert dl("train", *TINY).code == 0
    run = next(list_runs()).path
    index = json.loads((run / "checkpoints" / "index.json").read_text())
    best = unpack(read_checkpoint(run, index["best"]), source="best")
    assert best.calibration["temperature"] > 0
    assert sum(value for name, value in best.calibration.items() if name.endswith("/count")) > 50


def test_val_examples_that_were_trained_on_calibrate_nothing(dl: Callable[..., Any]) -> None:
    assert dl("train", "digits", "--quiet", "--overfit", "40", "--epochs", "1").code == 0
    run = next(list_runs()).path
    index = json.loads((run / "checkpoints" / "index.json").read_text())
    assert unpack(read_checkpoint(run, index["best"]), source="best").calibration == {}


def test_what_to_try_next_fits_the_model(dl: Callable[..., Any], runs: Path) -> None:
    tuned = dl("finetune", "--run", "flat", "--epochs", "1", "limit_train=100")
    assert "dl explain compare " in tuned.err, tuned.err
    plain = dl("train", "digits", "--epochs", "1", "limit_train=100")
    assert "dl explain gradcam " in plain.err, plain.err
    hard = dl("train", "digits", "--adversary", "fgsm_rs", "--epochs", "1", "limit_train=100")
    assert "dl explain compare explainer=saliency --against RUN" in hard.err, hard.err
    table = dl("train", "breast_cancer", "--epochs", "1")
    assert "dl explain columns " in table.err, table.err
