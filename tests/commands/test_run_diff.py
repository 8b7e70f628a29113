"""What two runs differ in, and what is concluded from it: made-up runs whose truth is known."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from dlcli.commands.run_diff import compare, flat, spelled
from dlcli.errors import DataError, UsageError
from dlcli.metrics.intervals import wilson
from dlcli.runs.find import read_run

CONFIG = {"seed": 0, "name": None, "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1}, "trainer": {"log_every": 10}}


def make(run_id, right=9000, *, config=None, n=10_000, digest="d", finished=True, **information):
    path = Path(os.environ["DL_RUNS"]) / "train" / "mnist" / run_id
    state = path / "checkpoints" / "step-00000001" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"schema": 1, "data_digest": digest}))
    (path / "config.yaml").write_text(yaml.safe_dump(CONFIG | (config or {})))
    (path / "run.json").write_text(json.dumps({"schema": 1, "id": run_id, "verb": "train", "name": "mnist", **information}))
    if finished:
        metrics = {"test/accuracy": wilson(right, n).to_dict(), "test/recall/0": wilson(right // 10, n // 10).to_dict()}
        content = {"schema": 1, "verb": "train", "id": run_id, "parent": None, "seconds": 1.0, "metrics": metrics, "files": {}}
        (path / "result.json").write_text(json.dumps(content))
    return read_run(path)


def sgd(**changes):
    return {"optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, **changes}}


def test_one_changed_setting_is_named_with_what_it_did():
    result = compare(make("1", 9500), make("2", 9400, config=sgd(lr=0.3)))
    assert [(change.key, change.first, change.second) for change in result.changes] == [("optimizer.lr", 0.1, 0.3)]
    assert result.conclusion[0] == (
        "only optimizer.lr (0.1 → 0.3) differs: test accuracy fell by 1.00 points [0.37, 1.63], which is worse"
    )
    assert "both runs saw the same 10000 examples" in result.conclusion[1]
    assert "--seeds 5" in result.conclusion[2]


def test_a_difference_within_the_interval_is_left_to_chance():
    result = compare(make("1", 9500), make("2", 9510, config={"seed": 1}))
    assert result.conclusion[0].startswith(
        "same config, data and code but for the seed (0 → 1): test accuracy rose by 0.10 points ["
    )
    assert "chance alone may explain" in result.conclusion[0]


def test_runs_that_repeat_each_other_are_the_same():
    assert compare(make("1"), make("2")).conclusion == ("same config, data, code and machine, and the same figures",)


def test_an_unrecorded_cause_is_not_made_up():
    result = compare(make("1", 9500), make("2", 9000))
    assert result.conclusion[0].startswith("nothing that is recorded differs: test accuracy fell by 5.00 points")
    assert "not recorded" in result.conclusion[-1]


def test_names_and_logging_change_no_figure():
    result = compare(make("1", 9500), make("2", 9500, config={"name": "x", "trainer": {"log_every": 5}}))
    assert {change.key for change in result.changes if not change.matters} == {"name", "trainer.log_every"}
    assert result.conclusion == ("same config, data, code and machine, and the same figures",)


def test_other_data_forbid_a_comparison():
    result = compare(make("1", 9500), make("2", 9400, digest="other"))
    assert result.conclusion[0].startswith("only the data differs")
    assert "different examples" in result.conclusion[1]


def test_several_causes_cannot_be_told_apart():
    result = compare(make("1", 9500, git="a"), make("2", 9000, git="b", config=sgd(lr=0.3)))
    assert result.conclusion[0].startswith("2 things differ, optimizer.lr (0.1 → 0.3), git commit (a → b): ")
    assert "one thing at a time" in result.conclusion[-1]


def test_another_class_is_one_cause_with_its_settings():
    adam = {"optimizer": {"_target_": "torch.optim.Adam", "lr": 0.001, "eps": 1e-8}}
    result = compare(make("1", 9500), make("2", 9500, config=adam))
    assert result.conclusion[0].startswith("only optimizer (SGD → Adam) differs, with its settings: test accuracy is the same")


def test_an_unfinished_run_has_no_figures_to_compare():
    result = compare(make("1"), make("2", finished=False, failure={"message": "x"}))
    assert result.figures == {}
    assert "run 2 is failed, so there are no figures to compare" in result.conclusion[0]


def test_a_run_is_not_compared_with_itself_nor_with_a_broken_one():
    run = make("1")
    with pytest.raises(UsageError, match="both words name the run 1"):
        compare(run, read_run(run.path))
    broken = Path(shutil.copytree(run.path, run.path.with_name("2")))
    (broken / "run.json").write_text("{")
    with pytest.raises(DataError, match="not a readable run"):
        compare(run, read_run(broken))


def test_an_unreadable_configuration_is_the_folders_fault():
    run = make("2")
    (run.path / "config.yaml").write_text("- 1")
    with pytest.raises(DataError, match="does not hold a mapping"):
        compare(make("1"), run)


def test_a_target_stands_for_its_node_and_classes_are_shown_by_name():
    assert flat({"a": {"_target_": "torch.optim.SGD", "b": {"c": 1}}, "d": {}}) == {"a": "torch.optim.SGD", "a.b.c": 1, "d": {}}
    assert (spelled("torch.optim.SGD"), spelled("0.5"), spelled(None), spelled("\x1b")) == ("SGD", "0.5", "–", "\\x1b")
