import pytest
from hydra.core.plugins import Plugins
from hydra.errors import MissingConfigException
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from dlcli.config.compose import compose, quoted, search_path
from dlcli.errors import UsageError


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.text(max_size=12) | some.text(alphabet="\\'\"${}a,= [", max_size=12))
@example("a\\'b\\")
@example("${oc.env:HOME}")
@example("\\${x}")
@example("007")
@example("1_000")
@example("null")
@example("a,b")
def test_quoted_text_comes_back_as_it_was(text):
    if text != "???":
        assert compose("evaluate", [f"name={quoted(text)}"])["name"] == text


@pytest.mark.parametrize("text", ["mnist", "builtin:mnist"[:7], "runs/train/x", "a.b-c_d@e"])
def test_an_ordinary_word_stays_bare(text):
    assert quoted(text) == text


def test_a_later_override_wins():
    assert compose("train", ["seed=1", "seed=2"])["seed"] == 2


def test_an_experiment_leaves_other_choices_as_typed():
    values = compose("train", ["model=mlp", "optimizer=adam", "experiment=mnist"])
    assert values["model"]["_target_"].endswith("MLP")
    assert values["optimizer"]["_target_"].endswith("Adam")


def test_values_without_a_value_yet_stay_question_marks():
    assert compose("train", ["optimizer.lr=???"])["optimizer"]["lr"] == "???"


@pytest.fixture
def own(tmp_path):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "sgd.yaml").write_text("_target_: torch.optim.SGD\nlr: 0.77\n")
    (tmp_path / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.Adam\nlr: 0.5\n")
    return str(tmp_path)


def test_a_users_file_wins_over_the_shipped_one_and_new_ones_are_found(own):
    assert compose("train", ["optimizer=sgd"], config_dir=own)["optimizer"] == {"_target_": "torch.optim.SGD", "lr": 0.77}
    assert compose("train", ["optimizer=mine"], config_dir=own)["optimizer"]["lr"] == 0.5
    assert compose("train", ["optimizer=adamw"], config_dir=own)["optimizer"]["lr"] == 0.001


def test_the_users_folder_is_forgotten_after_the_call(own):
    plugins = Plugins.instance()
    compose("train", ["optimizer=mine"], config_dir=own)
    known = [plugin for plugins_of_a_kind in plugins.plugin_type_to_subclass_list.values() for plugin in plugins_of_a_kind]
    assert not [plugin for plugin in (*known, *plugins.class_name_to_class.values()) if plugin.__name__ == "UserConfigs"]
    with pytest.raises(MissingConfigException):
        compose("train", ["optimizer=mine"])


def test_a_folder_that_is_not_there_is_an_error(own):
    with pytest.raises(UsageError, match="no such folder"), search_path(own + "/nothing"):
        pass
    with pytest.raises(UserWarning, match="not available"):
        compose("train", ["hydra.searchpath=[file:///no/where]"])


def test_a_root_is_composed_inside_a_command_and_the_commands_own_hydra_stays():
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    from dlcli.config.catalog import config_root

    with hydra.initialize_config_dir(str(config_root()), version_base="1.3"):
        outer = GlobalHydra.instance().hydra
        assert compose("train", ["experiment=mnist_best"])["trainer"]["epochs"] == 8
        assert GlobalHydra.instance().hydra is outer
    assert not GlobalHydra.instance().is_initialized()
