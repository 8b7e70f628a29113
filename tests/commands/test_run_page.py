"""What is shown of one run, and which words name it."""

import json
from pathlib import Path

import pytest

from dlcli.commands.run_page import find_any, log_tail, page, settings, sweep_page
from dlcli.errors import DataError, UsageError
from dlcli.runs.find import RunInfo, read_run


def run_of(runs: Path, name: str) -> RunInfo:
    return read_run(next(runs.glob(f"train/{name}/*/run.json")).parent)


def rewrite(run: RunInfo, **changes):
    path = run.path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return read_run(run.path)


def test_settings_that_differ_from_the_defaults_are_shown_with_them(runs):
    found = {one["key"]: (one["value"], one["default"]) for one in settings(run_of(runs, "flat"))}
    assert found["trainer.epochs"] == (2, 20)
    assert found["model"] == ("dlcli.models.mlp.MLP", "dlcli.models.small_cnn.SmallCNN")
    assert "optimizer.lr" not in found


def test_the_experiment_is_no_difference_to_its_own_defaults(runs):
    assert [one["key"] for one in settings(run_of(runs, "digits"))] == ["trainer.epochs"]


def test_a_foreign_experiment_is_not_composed_but_shown_as_typed(runs):
    words = ["experiment=${oc.env:HOME}", "optimizer.lr=1"]
    found = settings(rewrite(run_of(runs, "digits"), overrides=words))
    assert found == [
        {"key": "experiment", "value": "${oc.env:HOME}", "default": "?"},
        {"key": "optimizer.lr", "value": "1", "default": "?"},
    ]


def test_a_page_holds_everything_that_the_run_says(runs):
    run = run_of(runs, "digits")
    found = page(run)
    assert (found["id"], found["state"], found["command"]) == (run.id, "finished", "dl train digits --epochs 2")
    assert found["files"] == {"curves": "plots/curves.png"}
    assert len(found["checkpoints"]) == 2
    assert len(found["data_digest"]) == 32
    assert found["metrics"]["test/accuracy"]["n"] == 270
    assert found["log"] == []
    json.dumps(found, allow_nan=False)


def test_a_failed_run_shows_why_and_the_end_of_its_log(runs):
    run = run_of(runs, "flat")
    (run.path / "result.json").unlink()
    (run.path / "log.txt").write_text("".join(f"line {number}\n" for number in range(100)) + "Error: \x1b[31mred\n")
    found = page(rewrite(run, failure={"code": 70, "message": "loss is nan", "interrupted": False}))
    assert (found["state"], found["failure"]["message"]) == ("failed", "loss is nan")
    assert found["log"][-2:] == ["line 99", "Error: \\x1b[31mred"]
    assert len(found["log"]) == 8


def test_a_log_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "log.txt").symlink_to(tmp_path / "secret")
    assert log_tail(tmp_path) == []


def test_a_sweep_is_found_by_its_id_and_shows_its_trials(runs):
    folder = runs / "sweeps" / "20991231-sweep"
    folder.mkdir(parents=True)
    arms = {"optimizer.lr=0.1": {"runs": ["a"], "value": 0.9, "low": None, "high": None, "n": 1, "method": None}}
    (folder / "sweep.json").write_text(json.dumps({"schema": 1, "verb": "train", "metric": "test/accuracy", "arms": arms}))
    rewrite(run_of(runs, "flat"), sweep="20991231-sweep", trial=0)
    assert find_any("20991231-sweep") == find_any("20991231") == folder
    with pytest.raises(UsageError, match="'20' fits 2 runs"):
        find_any("20")
    found = sweep_page(folder)
    assert (found["metric"], [run["name"] for run in found["trials"]]) == ("test/accuracy", ["flat"])


def test_latest_is_what_it_is_everywhere(runs):
    assert find_any("latest").id == run_of(runs, "digits").id


def test_a_broken_run_has_no_page(runs):
    run = run_of(runs, "flat")
    (run.path / "run.json").write_text("[]")
    with pytest.raises(DataError, match="is not a readable run"):
        find_any(run.id)


@pytest.mark.parametrize("word", ["builtin:mnist", "pretrained:resnet18"])
def test_a_model_that_is_no_run_is_said_to_be_none(word, runs):
    with pytest.raises(UsageError, match="is a model, not a run"):
        find_any(word)
