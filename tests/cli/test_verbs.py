"""From words and flags to Hydra: sweeps, seeds, own configs, own classes, and what is refused."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from dlcli.cli.options import FLAGS
from dlcli.cli.verbs import command_line, flag_overrides, split_words, trusting
from dlcli.errors import UsageError

SHORT = ("--epochs", "1", "--quiet")


def defaults(verb: str, **changes) -> dict:
    return {name: flag.default for name, flag in FLAGS[verb].items()} | changes


def settings_of(run: Path) -> dict:
    return yaml.safe_load((run / "config.yaml").read_text())


def runs_in(folder: Path, verb: str = "train") -> list[Path]:
    return sorted((path.parent for path in folder.glob(f"runs/{verb}/*/*/run.json")), key=lambda path: path.name)


def test_words_are_told_from_overrides():
    assert split_words(["mnist", "a=1", "+b=2", "~c"]) == ("mnist", ["a=1", "+b=2", "~c"])
    assert split_words(["a=1"]) == (None, ["a=1"])
    with pytest.raises(UsageError, match="one bare word at most"):
        split_words(["mnist", "digits"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"epochs": 3}, ["trainer.epochs=3"]),
        ({"fast_dev_run": True}, ["fast_dev_run=true"]),
        ({"limit_train": "0.5"}, ["limit_train=0.5"]),
        ({"name": "007"}, ["name='007'"]),
        ({"name": "null"}, ["name='null'"]),
        ({"start_from": "runs/a b,c"}, ["start_from='runs/a b,c'"]),
        ({"data": "digits"}, ["data=digits"]),
        ({"quiet": True, "json": True, "seeds": 3}, []),
        ({}, []),
    ],
)
def test_flags_become_overrides_whose_text_stays_text(values, expected):
    assert flag_overrides("train", defaults("train", **values)) == expected


def test_a_command_line_repeats_the_run_and_leaves_out_how_the_answer_is_shown():
    values = defaults("train", epochs=3, quiet=True, json=True, fast_dev_run=True, config_dir="my configs")
    typed = command_line("train", ["mnist", "optimizer.lr=0.1"], values)
    assert shlex.join(typed) == "train mnist optimizer.lr=0.1 --epochs 3 --fast-dev-run --config-dir 'my configs'"


def test_trust_lasts_for_one_command(monkeypatch):
    with trusting("mine"):
        assert os.environ["DL_TRUST"] == "mine"
    assert "DL_TRUST" not in os.environ
    monkeypatch.setenv("DL_TRUST", "a")
    with pytest.raises(ZeroDivisionError), trusting("b"):
        assert os.environ["DL_TRUST"] == "a,b"
        raise ZeroDivisionError
    assert os.environ["DL_TRUST"] == "a"


def test_a_group_is_chosen_and_an_override_wins_over_its_flag(dl, tmp_path):
    assert dl("train", "digits", "model=mlp", "optimizer=adam", "optimizer.lr=0.01", "trainer.epochs=2", *SHORT).code == 0
    (run,) = runs_in(tmp_path)
    settings = settings_of(run)
    assert settings["model"]["_target_"] == "dlcli.models.mlp.MLP"
    assert settings["optimizer"]["lr"] == 0.01
    assert settings["trainer"]["epochs"] == 2
    assert run.parent.name == "digits"


def test_a_name_that_looks_like_a_number_stays_a_name(dl, tmp_path):
    assert dl("train", "digits", "--name", "007", *SHORT).code == 0
    assert [run.parent.name for run in runs_in(tmp_path)] == ["007"]


@pytest.fixture(scope="module")
def sweep(dl, tmp_path_factory):
    """A sweep over two learning rates."""
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(folder / "runs"))
        return folder, dl("train", "digits", "-m", "optimizer.lr=0.05,0.1", "--epochs", "1")


def test_a_sweep_makes_one_run_per_value_and_each_names_its_sweep(sweep):
    folder, answer = sweep
    assert answer.code == 0, answer.err
    records = [json.loads((run / "run.json").read_text()) for run in runs_in(folder)]
    assert [settings_of(run)["optimizer"]["lr"] for run in runs_in(folder)] == [0.05, 0.1]
    assert [record["trial"] for record in records] == [0, 1]
    (sweep_folder,) = (folder / "runs" / "sweeps").iterdir()
    assert {record["sweep"] for record in records} == {sweep_folder.name}
    assert records[1]["command"] == "dl train trainer.epochs=1 experiment=digits optimizer.lr=0.1"


def test_a_sweep_ends_with_one_table_and_one_picture(sweep):
    folder, answer = sweep
    (sweep_folder,) = (folder / "runs" / "sweeps").iterdir()
    content = json.loads((sweep_folder / "sweep.json").read_text())
    assert list(content["arms"]) == ["optimizer.lr=0.05", "optimizer.lr=0.1"]
    assert (content["schema"], content["verb"], content["metric"]) == (1, "train", "test/accuracy")
    assert (sweep_folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "optimizer.lr=0.05" in answer.err
    assert answer.out == ""


def test_a_trial_is_never_the_latest_model(sweep, dl, monkeypatch):
    monkeypatch.setenv("DL_RUNS", str(sweep[0] / "runs"))
    assert "no finished run" in dl("evaluate", "--run", "latest", "--quiet").err


def test_a_trials_command_repeats_the_trial(sweep, dl):
    run = runs_in(sweep[0])[1]
    command = shlex.split(json.loads((run / "run.json").read_text())["command"])
    again = json.loads(dl(*command[1:], "--json").out)
    assert again["metrics"] == json.loads((run / "result.json").read_text())["metrics"]


def test_seeds_give_mean_and_interval_over_runs(dl, tmp_path):
    assert dl("train", "digits", "--seeds", "2", *SHORT).code == 0
    assert [settings_of(run)["seed"] for run in runs_in(tmp_path)] == [0, 1]
    values = [json.loads((run / "result.json").read_text())["metrics"]["test/accuracy"]["value"] for run in runs_in(tmp_path)]
    (folder,) = (tmp_path / "runs" / "sweeps").iterdir()
    (arm,) = json.loads((folder / "sweep.json").read_text())["arms"].values()
    assert arm["value"] == pytest.approx(sum(values) / 2)
    # Student's t with one degree of freedom: 12.7062 standard errors.
    assert arm["high"] - arm["value"] == pytest.approx(12.7062 * abs(values[0] - values[1]) / 2, rel=1e-3)
    assert (arm["method"], arm["n"]) == ("t", 2)


def test_a_failing_trial_does_not_hide_the_others(dl, tmp_path):
    answer = dl("train", "mnist", "-m", "data.root=/no/where,null", "--limit-train", "200", *SHORT)
    assert answer.code == 74
    assert answer.errors[0].startswith("error: no train-images-idx3-ubyte")
    assert "1 of 2 trials failed" in answer.err
    assert "Error executing job" not in answer.err
    assert len(runs_in(tmp_path)) == 1
    assert len(list((tmp_path / "runs" / "sweeps").glob("*/sweep.json"))) == 1


def test_cfg_prints_only_yaml_and_parts_of_it(dl):
    whole = dl("train", "digits", "--cfg", "job")
    assert (whole.code, whole.err) == (0, "")
    assert yaml.safe_load(whole.out)["trainer"]["epochs"] == 20
    part = dl("train", "digits", "--cfg", "job", "--package", "trainer")
    assert yaml.safe_load(part.out)["epochs"] == 20
    assert set(yaml.safe_load(dl("train", "-c", "hydra").out)) == {"hydra"}


def test_info_explains_where_configs_come_from(dl):
    assert "experiment" in dl("train", "--info", "defaults-tree").out
    assert "configs" in dl("train", "-i", "searchpath").out


@pytest.fixture
def own(tmp_path):
    """A folder of the user's configs: another sgd, an experiment, and a network of the user's own."""
    folder = tmp_path / "mine"
    for name, text in {
        "optimizer/sgd": "# Mine\n_target_: torch.optim.SGD\nlr: 0.077\n",
        "experiment/small": "# @package _global_\n# Mine\ndefaults:\n  - override /data: digits\ntrainer:\n  epochs: 1\n",
        "model/mine": "# Mine\n_target_: my_net.Net\nwidth: 4\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_the_users_configs_win_over_shipped_ones_and_add_new_ones(own, dl, tmp_path):
    answer = dl("train", "small", "optimizer=sgd", "--config-dir", str(own), "--quiet")
    assert answer.code == 0, answer.err
    (run,) = runs_in(tmp_path)
    assert settings_of(run)["optimizer"] == {"_target_": "torch.optim.SGD", "lr": 0.077}
    assert run.parent.name == "small"
    assert "--config-dir" in json.loads((run / "run.json").read_text())["command"]


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A network of the user's own in the current folder, and a canary that sings when it is imported."""
    code = f"""
from torch import nn
open({str(tmp_path / "canary")!r}, "w").close()

class Net(nn.Module):
    def __init__(self, *, spec, width: int):
        super().__init__()
        size = spec.shape[0] * spec.shape[1] * spec.shape[2]
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(size, width), nn.ReLU(), nn.Linear(width, len(spec.classes)))

    def forward(self, inputs):
        return self.layers(inputs)
"""
    (tmp_path / "my_net.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("my_net", None)


def test_a_network_of_the_users_own_is_refused_without_trust_and_not_imported(own, network, dl):
    answer = dl("train", "small", "model=mine", "--config-dir", str(own))
    assert answer.code == 2
    assert "'my_net' is not trusted" in answer.err
    assert "--trust my_net" in answer.err
    assert not (network / "canary").exists()


def test_a_network_of_the_users_own_trains_and_is_used_as_long_as_it_is_trusted(own, network, dl):
    answer = dl("train", "small", "model=mine", "--config-dir", str(own), "--trust", "my_net", "--quiet")
    assert answer.code == 0, answer.err
    assert (network / "canary").exists()
    assert dl("evaluate", "--limit", "10", "--quiet").code == 65
    (network / "dlcli.yaml").write_text("trust: [my_net]\n")
    assert dl("evaluate", "--limit", "10", "--quiet").code == 0


@pytest.mark.full
def test_trials_run_in_other_processes_through_hydras_joblib_launcher(dl, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    answer = dl("train", "digits", "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1", *SHORT)
    assert answer.code == 0, answer.err
    assert len(runs_in(tmp_path)) == 2
    assert len(list((tmp_path / "runs" / "sweeps").glob("*/sweep.json"))) == 1


def test_a_name_is_taken_as_papers_write_it(dl):
    answer = dl("explain", "gradcam++", "--run", "builtin:mnist", "--limit", "2", "--no-evidence")
    assert answer.code == 0, answer.err
    assert "explain/gradcam_pp/" in answer.err
