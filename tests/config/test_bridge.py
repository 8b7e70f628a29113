"""The bridge with tasks of its own, so that Hydra's part is seen alone; trained models come in tests/cli."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from dlcli.config import bridge
from dlcli.config.invocation import Invocation
from dlcli.errors import ConfigError, DataError, Interrupted, StorageError

SEEN: list = []


@dataclass
class Fake:
    """What a task returns."""

    metrics: dict = field(default_factory=lambda: {"val/accuracy": {"value": 0.5}})

    def value(self, name: str) -> float:
        return self.metrics[name]["value"]


@pytest.fixture(autouse=True)
def task(monkeypatch):
    """The name of a task that remembers its calls; seed 1 fails, seed 2 is interrupted, seed 3 is a bug."""
    SEEN.clear()
    module = type(sys)("bridge_tasks")

    def run(settings, invocation):
        SEEN.append((settings, invocation, str(Path.cwd()), list(sys.argv)))
        if settings.seed == 1:
            raise DataError("the data are wrong", hint="mend them")
        if settings.seed == 2:
            raise Interrupted("stopped", signal_number=2)
        if settings.seed == 3:
            raise ZeroDivisionError("a bug")
        return Fake()

    module.run = run
    monkeypatch.setitem(sys.modules, "bridge_tasks", module)
    return "bridge_tasks:run"


def launch(task: str, *overrides: str, verb: str = "evaluate", sweep: str | None = None, flags=(), **more):
    invocation = Invocation(verb=verb, arguments=(verb, "as", "typed"), lookup=("--trust", "x"), overrides=overrides, sweep=sweep)
    return bridge.launch(invocation, task, hydra_flags=["--multirun"] if sweep else list(flags), **more)


def test_a_task_gets_typed_settings_and_what_was_chosen(task):
    (returned,) = launch(task, "attack=noise", "seed=7", verb="attack")
    settings, invocation, _, _ = SEEN[0]
    assert isinstance(returned, Fake)
    assert settings.seed == 7
    assert invocation.choices["attack"] == "noise"
    assert invocation.overrides == ("attack=noise", "seed=7")
    assert invocation.arguments == ("attack", "as", "typed")
    assert invocation.trial is None


def test_hydra_leaves_the_world_as_it_was(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv, environment = list(sys.argv), dict(os.environ)
    launch(task)
    with pytest.raises(DataError):
        launch(task, "seed=1")
    assert (sys.argv, dict(os.environ)) == (argv, environment)
    assert list(tmp_path.iterdir()) == []
    assert SEEN[0][2] == str(tmp_path)


def test_many_launches_work_in_one_process(task):
    for seed in range(10, 14):
        launch(task, f"seed={seed}")
    assert [seen[0].seed for seen in SEEN] == [10, 11, 12, 13]


@pytest.mark.parametrize(("seed", "error"), [(1, DataError), (2, Interrupted), (3, ZeroDivisionError)])
def test_a_failing_task_raises_its_own_error_and_hydra_says_nothing(seed, error, task):
    heard = io.StringIO()
    with contextlib.redirect_stderr(heard), pytest.raises(error):
        launch(task, f"seed={seed}")
    assert heard.getvalue() == ""


def test_a_wrong_configuration_never_reaches_the_task(task):
    with pytest.raises(ConfigError, match="limit=0: expected 1 or more"):
        launch(task, "limit=0")
    assert SEEN == []


def test_a_sweep_runs_every_trial_and_numbers_them(task, tmp_path):
    returned = launch(task, "seed=10,11", "limit=5", sweep="an-id")
    assert len(returned) == 2
    assert [(seen[1].trial, seen[1].sweep, seen[0].seed) for seen in SEEN] == [(0, "an-id", 10), (1, "an-id", 11)]
    assert (tmp_path / "runs" / "sweeps" / "an-id").is_dir()


def test_a_trials_command_repeats_the_trial_not_the_sweep(task):
    launch(task, "seed=10,11", "limit=5", sweep="an-id")
    assert SEEN[1][1].arguments == ("evaluate", "seed=11", "limit=5", "--trust", "x")


def test_a_failing_trial_does_not_hide_the_others(task):
    heard = io.StringIO()
    with contextlib.redirect_stderr(heard), pytest.raises(DataError) as caught:
        launch(task, "seed=10,1,3,11", sweep="an-id")
    assert [seen[0].seed for seen in SEEN] == [10, 1, 3, 11]
    assert caught.value.__notes__ == ["2 of 4 trials failed", "another: a bug"]
    assert heard.getvalue() == ""


def test_an_interrupted_trial_ends_the_sweep(task):
    with pytest.raises(Interrupted):
        launch(task, "seed=10,2,11", sweep="an-id")
    assert [seen[0].seed for seen in SEEN] == [10, 2]


def test_a_sweep_with_one_bad_value_starts_no_trial_and_makes_no_folder(task, tmp_path):
    with pytest.raises(ConfigError, match="limit=0: expected 1 or more"):
        launch(task, "limit=5,0", sweep="an-id")
    assert SEEN == []
    assert not (tmp_path / "runs").exists()


def test_a_sweep_whose_folder_cannot_be_made_says_so(task, tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StorageError, match="runs"):
        launch(task, "seed=10,11", sweep="an-id")


def test_a_sweeper_that_optimises_sees_the_value_that_training_selects_by(task):
    values = {"trainer": {"monitor": "val/loss"}}
    assert bridge._objective(Fake({"val/loss": {"value": 0.25}, "test/accuracy": {"value": 1}}), values) == 0.25
    assert bridge._objective(Fake({"val/accuracy": {"value": 0.75}}), {"trainer": {"monitor": "last"}}) == 0.75
    robust = Fake({"val/robust_accuracy": {"value": 0.5}, "val/accuracy": {"value": 0.75}})
    assert bridge._objective(robust, {"trainer": {"monitor": "auto"}}) == 0.5
    assert math.isnan(bridge._objective(Fake({"test/accuracy": {"value": 1}}), values))


def test_printing_the_configuration_runs_no_task(task, capsys):
    assert launch(task, "seed=5", flags=["--cfg=job"]) == []
    assert SEEN == []
    assert yaml.safe_load(capsys.readouterr().out)["seed"] == 5


def test_hydra_starts_where_argparse_checks_help_texts_as_python_3_14_does(task, monkeypatch):
    def check(self, action):
        if action.help and not isinstance(action.help, str):
            raise ValueError("badly formed help string")

    def add(self, action, original=argparse.ArgumentParser._add_action):
        self._check_help(action)
        return original(self, action)

    monkeypatch.setattr(argparse.ArgumentParser, "_check_help", check, raising=False)
    monkeypatch.setattr(argparse.ArgumentParser, "_add_action", add)
    launch(task, "seed=5")
    assert argparse.ArgumentParser._check_help is check


def test_sweep_ids_are_unique_and_sort_by_time():
    ids = [bridge.new_sweep_id() for _ in range(20)]
    assert len(set(ids)) == 20
    assert [name[:15] for name in ids] == sorted(name[:15] for name in ids)


def test_the_checkouts_configs_are_not_in_the_package():
    assert not (Path(bridge.__file__).parent.parent / "configs").exists()
