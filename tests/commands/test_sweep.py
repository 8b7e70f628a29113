import json
from pathlib import Path

import pytest

from dlcli.commands.sweep import concluding
from dlcli.config.invocation import Invocation
from dlcli.errors import DataError
from dlcli.runs.run import runs_root

SWEEP = "20260101-000000.000-abcdef"


def trial(number: int, *overrides: str, accuracy: float | None = 0.9, sweep: str = SWEEP, losses: int = 2) -> Path:
    """Writes a run folder as a trial leaves it."""
    path = runs_root() / "train" / "digits" / f"20260101-00000{number}.000-00000{number}"
    path.mkdir(parents=True)
    failure = None if accuracy is not None else {"code": 70, "message": "loss is not finite"}
    record = {
        "schema": 1,
        "id": path.name,
        "verb": "train",
        "sweep": sweep,
        "trial": number,
        "overrides": list(overrides),
        "failure": failure,
    }
    (path / "run.json").write_text(json.dumps(record))
    (path / "config.yaml").write_text("seed: 0\n")
    lines = [{"step": step, "epoch": 0, "split": "val", "name": "accuracy", "value": 0.5 + 0.1 * step} for step in range(losses)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 9, "sp')
    if accuracy is not None:
        metrics = {"test/accuracy": {"value": accuracy, "low": None, "high": None, "n": 10, "method": "wilson"}}
        result = {"schema": 1, "verb": "train", "id": path.name, "parent": None, "seconds": 1.0, "metrics": metrics, "files": {}}
        (path / "result.json").write_text(json.dumps(result))
    return path


def conclude(**changes) -> dict:
    with concluding(Invocation(verb="train", sweep=SWEEP, **changes)):
        pass
    return json.loads((runs_root() / "sweeps" / SWEEP / "sweep.json").read_text())


def test_trials_that_differ_by_their_seed_alone_are_one_arm_with_mean_and_interval(capsys):
    for seed, accuracy in enumerate((0.8, 0.9, 1.0)):
        trial(seed, "optimizer.lr=0.1", f"seed={seed}", accuracy=accuracy)
    (arm,) = conclude()["arms"].values()
    assert arm["value"] == pytest.approx(0.9)
    # Student's t, two degrees of freedom: 4.302653 standard errors of 0.1 / sqrt(3).
    assert arm["high"] - arm["value"] == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-5)
    assert len(arm["runs"]) == 3


def test_an_arm_is_named_by_what_sets_it_apart():
    trial(0, "model=mlp", "optimizer.lr=0.1", "seed=0")
    trial(1, "model=mlp", "optimizer.lr=0.2", "seed=0")
    trial(2, "model=mlp", "optimizer.lr=0.2", "seed=1")
    arms = conclude()["arms"]
    assert {name: len(arm["runs"]) for name, arm in arms.items()} == {"optimizer.lr=0.1": 1, "optimizer.lr=0.2": 2}


def test_the_table_and_the_picture_show_every_arm(capsys):
    trial(0, "seed=0", "optimizer.lr=0.1")
    trial(1, "seed=0", "optimizer.lr=0.2", accuracy=0.5)
    conclude()
    said = capsys.readouterr().err
    assert "optimizer.lr=0.1" in said
    assert "50.00" in said
    assert (runs_root() / "sweeps" / SWEEP / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_failed_trial_is_counted_and_the_others_stand(capsys):
    trial(0, "a=1")
    trial(1, "a=2", accuracy=None)
    arms = conclude()["arms"]
    assert arms["a=2"]["value"] is None
    assert arms["a=1"]["value"] == 0.9
    row = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("a=2"))
    assert row.split()[-1] == "1"


def test_a_failure_is_raised_after_the_other_trials_are_summed_up():
    trial(0, "a=1")
    with pytest.raises(DataError), concluding(Invocation(verb="train", sweep=SWEEP, quiet=True)):
        raise DataError("one trial failed")
    assert (runs_root() / "sweeps" / SWEEP / "sweep.json").is_file()


def test_a_bug_in_one_trial_does_not_hide_the_others_either():
    trial(0, "a=1")
    with pytest.raises(ZeroDivisionError), concluding(Invocation(verb="train", sweep=SWEEP, quiet=True)):
        raise ZeroDivisionError
    assert (runs_root() / "sweeps" / SWEEP / "sweep.json").is_file()


def test_runs_of_other_sweeps_do_not_count():
    trial(0, "a=1")
    trial(1, "a=2", sweep="another")
    assert list(conclude(quiet=True)["arms"]) == ["digits"]


def test_without_any_trial_nothing_is_written():
    with concluding(Invocation(verb="train", sweep=SWEEP)):
        pass
    assert not runs_root().exists()


def test_quiet_says_nothing(capsys):
    trial(0, "a=1")
    conclude(quiet=True)
    assert capsys.readouterr() == ("", "")


def test_an_experiment_that_sweeps_by_itself_needs_no_flag(dl, tmp_path):
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    text = (
        "# @package _global_\n# two kinds of net\ndefaults:\n  - override /data: digits\n  - override /model: mlp\n"
        "hydra:\n  sweeper:\n    params:\n      model.dropout: 0,0.2,0.5\n      seed: 0,1\n"
        "limit_train: 100\ntrainer:\n  epochs: 2\n"
    )
    (tmp_path / "own" / "experiment" / "few.yaml").write_text(text)
    answer = dl("train", "few", "--config-dir", str(tmp_path / "own"))
    assert answer.code == 0, answer.err
    (folder,) = (tmp_path / "runs" / "sweeps").iterdir()
    arms = json.loads((folder / "sweep.json").read_text())["arms"]
    assert {arm: len(content["runs"]) for arm, content in arms.items()} == {
        "model.dropout=0": 2,
        "model.dropout=0.2": 2,
        "model.dropout=0.5": 2,
    }
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "response.png").read_bytes().startswith(b"\x89PNG")
    shown = dl("train", "few", "--config-dir", str(tmp_path / "own"), "--cfg", "job")
    assert shown.code == 0
    assert "dropout" in shown.out
