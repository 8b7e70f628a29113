"""Runs in the order of a figure, data set by data set."""

import json
import os
from pathlib import Path

import pytest

from dlcli.commands.run_ranking import rank
from dlcli.errors import UsageError
from dlcli.metrics.intervals import wilson
from dlcli.runs.find import list_runs


def make(run_id, right, *, verb="train", data="mnist", n=1000, nll=None, **information):
    path = Path(os.environ["DL_RUNS"]) / verb / "name" / run_id
    state = path / "checkpoints" / "step-00000001" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"schema": 1, "data_digest": f"digest of {data}", "spec": {"name": data}}))
    (path / "config.yaml").write_text("seed: 0\n")
    (path / "run.json").write_text(json.dumps({"schema": 1, "id": run_id, "verb": verb, "name": "name", **information}))
    metrics = {"test/accuracy": wilson(right, n).to_dict(), "test/recall/1": wilson(1, 2).to_dict()}
    if nll is not None:
        metrics["test/nll"] = {"value": nll, "low": None, "high": None, "n": n, "method": None}
    content = {"schema": 1, "verb": verb, "id": run_id, "parent": None, "seconds": 1.0, "metrics": metrics, "files": {}}
    (path / "result.json").write_text(json.dumps(content))


def order(metric=None):
    return [(one.run.id, one.rank, one.distinguishable) for one in rank(list_runs(), metric)[1]]


def test_the_best_comes_first_and_ties_inside_the_interval_are_marked():
    make("1", 900)
    make("2", 950)
    make("3", 945)
    assert order() == [("2", 1, None), ("3", 2, False), ("1", 3, True)]


def test_a_loss_is_better_low():
    make("1", 900, nll=0.2)
    make("2", 950, nll=0.3)
    assert order("nll") == [("1", 1, None), ("2", 2, None)]
    assert rank(list_runs(), "nll")[0] == "test/nll"


def test_each_data_set_has_its_own_best():
    make("1", 990, data="mnist")
    make("2", 700, data="cifar10")
    make("3", 980, data="mnist")
    assert [(one.data, one.run.id, one.rank) for one in rank(list_runs(), None)[1]] == [
        ("mnist", "1", 1),
        ("mnist", "3", 2),
        ("cifar10", "2", 1),
    ]


def test_an_evaluation_does_not_stand_beside_its_own_training():
    make("1", 990)
    make("2", 990, verb="evaluate")
    make("3", 999, fast_dev_run=True)
    assert [run for run, _, _ in order()] == ["1"]


def test_a_mistyped_figure_gets_suggestions_from_what_is_there():
    make("1", 990, nll=0.1)
    with pytest.raises(
        UsageError, match=r"'acuracy'; expected one of test/accuracy, test/nll; did you mean 'accuracy'"
    ) as caught:
        order("acuracy")
    assert caught.value.hint == "dl runs best accuracy"


def test_where_nothing_is_finished_nothing_is_ranked():
    with pytest.raises(UsageError, match="no finished run"):
        order()
    with pytest.raises(UsageError, match="no finished run has the figure 'nll'"):
        order("nll")
