import pytest

from dlcli.config.compose import compose
from dlcli.config.mistakes import check, collect, refuse_bad_sweep
from dlcli.errors import ConfigError


def test_right_overrides_have_no_mistakes():
    assert collect("train", ["optimizer=adam", "optimizer.lr=0.01", "experiment=mnist"], None) == []


def test_each_wrong_override_is_explained_and_the_others_are_still_checked():
    found = collect("train", ["optimizer=sgdd", "seed=x", "nonsense=1", "model=mlp"], None)
    assert [line.split(";")[0].split(":")[0] for line in found] == [
        "there is no optimizer 'sgdd'",
        "unknown key 'nonsense'",
        "seed=x",
    ]


def test_an_override_is_judged_with_the_groups_that_are_chosen_after_it():
    assert collect("train", ["optimizer.alpha=0.9", "optimizer=rmsprop"], None) == []
    (line,) = collect("train", ["optimizer.alpha=0.9", "optimizer=adam"], None)
    assert line.startswith("unknown key 'optimizer.alpha'; optimizer has lr, betas")


def test_known_keys_are_those_of_the_chosen_entries_not_of_the_defaults():
    (line,) = collect("train", ["optimizer=adam", "optimizer.beta=[0.9,0.99]"], None)
    assert line == "unknown key 'optimizer.beta'; did you mean 'optimizer.betas'?"


def test_a_setting_of_what_is_off_says_what_has_it():
    (line,) = collect("train", ["adversary.beta=1"], None)
    assert line == "unknown key 'adversary.beta'; write adversary=trades or adversary=trades_mnist as well"
    assert collect("train", ["adversary.beta=1", "adversary=trades"], None) == []


def test_components_are_not_imported_where_only_the_root_is_wrong(python):
    code = "import sys; from dlcli.config.mistakes import collect; print(len(collect('train', ['seed=x', 'y=1'], None)));"
    answer = python(code + "print('torch' in sys.modules)")
    assert answer.out.split() == ["2", "False"], answer.err


def test_a_users_broken_file_is_named_with_its_line(tmp_path):
    (tmp_path / "optimizer").mkdir()
    path = tmp_path / "optimizer" / "mine.yaml"
    path.write_text("_target_: torch.optim.SGD\nlr: [1\n")
    (line,) = collect("train", ["optimizer=mine"], str(tmp_path))
    assert str(path) in line
    assert "line 3" in line or "line 2" in line


def test_an_experiment_that_needs_what_is_not_there_says_what(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\n# Mine\ndefaults:\n  - override /optimizer: sgdd\n")
    (line,) = collect("train", ["experiment=mine"], str(tmp_path))
    assert line.startswith("experiment=mine: there is no optimizer 'sgdd'")


def test_the_check_of_a_right_configuration_gives_its_settings():
    values = compose("attack", ["attack=noise"])
    settings, found = check("attack", values, overrides=["attack=noise"])
    assert found == []
    assert settings.attack["_target_"] == "dlcli.attacks.noise.Noise"


@pytest.mark.parametrize(
    ("overrides", "lines"),
    [
        (["optimizer.lr=0.1,abc"], ["optimizer.lr=abc: expected a number; example: 0.1 or 8/255"]),
        (["seed=range(0,3)", "trainer.epochs=1,0"], ["trainer.epochs=0: expected 1 or more"]),
        (["seed=0,-1,-2"], ["seed=-1: expected 0 or more", "seed=-2: expected 0 or more"]),
    ],
)
def test_every_value_of_a_sweep_is_checked_once(overrides, lines):
    with pytest.raises(ConfigError) as caught:
        refuse_bad_sweep("train", overrides, None)
    assert list(caught.value.mistakes) == lines


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimizer=sgd,adam"],
        ["optimizer=glob(*)"],
        ["optimizer.lr=interval(0.01,0.1)"],
        ["seed=range(3)", "model=mlp,small_cnn"],
    ],
)
def test_a_right_sweep_passes_whatever_makes_its_values(overrides):
    assert refuse_bad_sweep("train", overrides, None) is None  # raises where it refuses
