"""``import dlcli``: the verbs as functions."""

import json

import pytest
import torch

import dlcli
from dlcli.errors import ConfigError, UsageError


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(tmp_path_factory.mktemp("door")))
        yield dlcli.train("digits", "optimizer.lr=0.05", epochs=2, seed=3, optimizer="sgd")


def test_training_returns_the_run_with_its_metrics(trained):
    assert trained.verb == "train"
    assert trained.value("test/accuracy") > 0.5
    assert json.loads((trained.path / "result.json").read_text())["id"] == trained.id


def test_settings_overrides_and_groups_reach_the_configuration(trained):
    config = (trained.path / "config.yaml").read_text()
    assert "lr: 0.05" in config
    assert "epochs: 2" in config
    assert "seed: 3" in config
    assert "_target_: torch.optim.SGD" in config


def test_the_record_names_a_command_that_repeats_the_run(trained, dl):
    command = json.loads((trained.path / "run.json").read_text())["command"]
    assert command == "dl train digits optimizer.lr=0.05 optimizer=sgd --epochs 2 --seed 3"
    again = json.loads(dl(*command.split()[1:], "--json").out)
    assert again["metrics"]["test/accuracy"] == trained.metrics["test/accuracy"]


def test_nothing_is_printed(trained, capfd):
    dlcli.evaluate(run=trained, limit=50)
    assert capfd.readouterr() == ("", "")


def test_a_result_is_taken_where_a_model_reference_is(trained):
    assert dlcli.evaluate(run=trained, split="val").parent == trained.id
    assert dlcli.attack("fgsm", "attack.epsilon=0.1", run=trained, limit=20).parent == trained.id
    assert dlcli.finetune(run=trained, data="digits", epochs=1).parent == trained.id


def test_no_room_hides_the_verb_of_the_same_name(trained):
    from dlcli.attacks.fgsm import FGSM  # noqa: F401 - importing a room sets its name on the package
    from dlcli.explainers.saliency import Saliency  # noqa: F401

    assert dlcli.explain("saliency", run=trained, limit=2).parent == trained.id


def test_load_gives_a_classifier_that_takes_raw_inputs(trained):
    model = dlcli.load(trained, device="cpu")
    assert not model.training
    with torch.no_grad():
        assert model(torch.rand(3, 1, 8, 8)).shape == (3, 10)


def test_a_result_shows_itself_in_a_notebook(trained):
    page = trained._repr_html_()
    assert "test/accuracy" in page
    assert trained.id in page


def test_a_wrong_setting_is_named_with_the_near_one():
    with pytest.raises(UsageError, match="train has no setting 'epoch'; did you mean 'epochs'"):
        dlcli.train("digits", epoch=2)


@pytest.mark.parametrize("setting", [{"seeds": 2}, {"multirun": True}, {"cfg": "job"}, {"dry_run": True}, {"resume": "latest"}])
def test_what_makes_no_single_run_is_refused_before_anything_runs(setting, tmp_path):
    with pytest.raises(UsageError, match="belongs on the command line"):
        dlcli.train("digits", **setting)
    assert not (tmp_path / "runs").exists()


def test_a_wrong_value_raises_the_commands_own_error():
    with pytest.raises(ConfigError, match=r"trainer\.epochs=ten: expected a whole number"):
        dlcli.train("digits", epochs="ten")


def test_importing_dlcli_imports_no_heavy_package(python):
    heavy = "{'torch', 'torchvision', 'hydra', 'omegaconf', 'numpy', 'pandas', 'sklearn', 'matplotlib', 'typer', 'rich', 'yaml'}"
    answer = python(f"import dlcli, sys; print(sorted({heavy} & set(sys.modules)))")
    assert answer.out == "[]\n", answer.err


def test_dlcli_imports_and_helps_where_fcntl_cannot_be_imported(python):
    code = "import sys; sys.modules['fcntl'] = None; import dlcli; import dlcli.runs.platform;"
    answer = python(code + "from dlcli.cli import main; main(['--help'])")
    assert answer.code == 0, answer.err
    assert "Usage: dl" in answer.out


def test_own_data_need_no_experiment(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("age,left\n" + "20,Yes\n30,No\n" * 30)
    result = dlcli.train(data=str(path), target="left", epochs=1)
    assert result.path.parent.name == "people"
    assert "test/auroc" in result.metrics


def test_a_sweep_is_refused_before_it_starts(tmp_path):
    with pytest.raises(UsageError, match="'dropout_study' is a sweep"):
        dlcli.train("dropout_study")
    assert not (tmp_path / "runs").exists()
