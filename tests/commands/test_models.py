import json
import shutil
from pathlib import Path

import pytest
import torch

from dlcli.classifier import Preprocessing
from dlcli.commands import models
from dlcli.commands.console import Talk
from dlcli.commands.models import ASSETS, assemble, data_source, load_model, load_weights, newest_good
from dlcli.contracts import DataSpec
from dlcli.errors import ConfigError, DataError, UsageError

CPU = torch.device("cpu")
SPEC = DataSpec(name="any", shape=(1, 8, 8), classes=("a", "b"), mean=(0.5,), std=(0.5,), epsilon={})
NODE = {"_target_": "dlcli.models.mlp.MLP", "widths": [4]}


def load(reference=None, which="best"):
    return load_model(reference, which=which, device=CPU, talk=Talk(quiet=True))


def run_of(runs: Path, name: str) -> Path:
    return next(runs.glob(f"train/{name}/*/run.json")).parent


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_without_a_reference_the_newest_finished_model_is_taken_and_named(runs, capsys):
    loaded = load_model(None, which="best", device=CPU, talk=Talk())
    assert loaded.name == "digits"
    assert loaded.reference == run_of(runs, "digits").name
    assert loaded.reference in capsys.readouterr().err
    assert not loaded.model.training


@pytest.mark.parametrize("how", ["name", "id", "path"])
def test_a_model_is_found_by_name_id_and_path(how, runs):
    run = run_of(runs, "flat")
    reference = {"name": "flat", "id": run.name, "path": str(run)}[how]
    assert load(reference).reference == run.name
    assert type(load(reference).model.net).__name__ == "MLP"


def test_a_rebuilt_model_gives_the_logits_of_its_checkpoint(runs):
    loaded = load("digits")
    inputs = torch.rand(5, 1, 8, 8)
    other = load(str(run_of(runs, "digits")))
    with torch.no_grad():
        assert torch.equal(loaded.model(inputs), other.model(inputs))
    assert set(loaded.model.state_dict()) == set(loaded.checkpoint.weights)


def test_best_last_and_a_step_are_checkpoints_of_the_run(runs):
    index = json.loads((run_of(runs, "digits") / "checkpoints" / "index.json").read_text())
    for which in ("best", "last"):
        by_step = load("digits", str(int(index[which].removeprefix("step-"))))
        assert by_step.checkpoint.progress == load("digits", which).checkpoint.progress


def test_a_damaged_best_checkpoint_is_warned_of_and_another_one_taken(runs, capsys):
    run = run_of(runs, "digits")
    best = json.loads((run / "checkpoints" / "index.json").read_text())["best"]
    damage(run / "checkpoints" / best / "model.safetensors")
    loaded = load("digits")
    assert loaded.checkpoint.progress != {}
    said = capsys.readouterr().err
    assert "warning:" in said
    assert "is damaged" in said


def test_a_damaged_checkpoint_that_was_asked_for_by_its_step_is_refused(runs):
    damage(run_of(runs, "digits") / "checkpoints" / "step-00000040" / "model.safetensors")
    with pytest.raises(DataError, match="is damaged"):
        load("digits", "40")


def test_where_no_checkpoint_verifies_there_is_no_model(runs, capsys):
    for path in run_of(runs, "digits").glob("checkpoints/step-*/model.safetensors"):
        damage(path)
    with pytest.raises(DataError, match=r"no checkpoint of .* verifies \(2 tried\)"):
        load("digits")


def test_a_run_without_checkpoints_has_none(tmp_path):
    assert newest_good(tmp_path, Talk(quiet=True)) is None


def test_a_missing_index_falls_back_on_the_newest(runs):
    (run_of(runs, "digits") / "checkpoints" / "index.json").unlink()
    assert load("digits").reference == run_of(runs, "digits").name


@pytest.mark.parametrize("which", ["999", "bset", "", "-1"])
def test_a_checkpoint_that_is_not_there_is_refused(which, runs):
    with pytest.raises(UsageError, match="--checkpoint"):
        load("digits", which)


@pytest.mark.parametrize("content", [None, "a: [", "- 1", "name: x"])
def test_a_run_without_a_readable_configuration_is_not_used(content, runs):
    path = run_of(runs, "digits") / "config.yaml"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises((DataError, UsageError)):
        load(str(path.parent))


def test_with_no_runs_the_shipped_model_is_used_and_this_is_said(capsys):
    loaded = load_model(None, which="best", device=CPU, talk=Talk())
    assert (loaded.reference, loaded.name) == ("builtin:mnist", "builtin-mnist")
    assert "builtin:mnist" in capsys.readouterr().err
    assert sum(parameter.numel() for parameter in loaded.model.parameters()) <= 40_000


def test_the_shipped_model_has_one_checkpoint():
    with pytest.raises(UsageError, match="builtin:mnist has one checkpoint"):
        load("builtin:mnist", "5")


def test_a_damaged_shipped_model_is_refused(tmp_path, monkeypatch):
    shutil.copytree(ASSETS / "builtin", tmp_path / "builtin")
    damage(tmp_path / "builtin" / "mnist" / "model.safetensors")
    monkeypatch.setattr(models, "ASSETS", tmp_path)
    with pytest.raises(DataError, match=r"builtin:mnist/model\.safetensors is damaged"):
        load("builtin:mnist")


def test_weights_that_do_not_fit_are_named_and_none_is_copied():
    model = assemble(NODE, SPEC, Preprocessing.of(SPEC))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    name, other = list(before)[:2]
    wrong = {key: tensor + 1 for key, tensor in before.items() if key != other} | {name: torch.zeros(3), "extra": torch.zeros(1)}
    with pytest.raises(DataError, match=f"{other} is missing; extra has no place; {name} is \\(3,\\), expected"):
        load_weights(model, wrong, source="here")
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_a_mistake_in_a_network_is_the_users_when_typed_and_the_folders_when_stored():
    wrong = {**NODE, "dropout": 3.0}
    with pytest.raises(ConfigError, match=r"model\.dropout must be in"):
        assemble(wrong, SPEC, Preprocessing.of(SPEC))
    with pytest.raises(DataError, match=r"a/run: model\.dropout must be in"):
        assemble(wrong, SPEC, Preprocessing.of(SPEC), source="a/run")


def test_data_that_a_run_names_must_be_a_data_source():
    assert data_source({"_target_": "dlcli.data.digits.Digits"}, source="a/run").split_seed == 0
    with pytest.raises(DataError, match=r"a/run: data\._target_=os\.system: package 'os' is not trusted"):
        data_source({"_target_": "os.system"}, source="a/run")
