import pytest

from dlcli.config.catalog import (
    WORD_GROUPS,
    config_folders,
    config_root,
    description,
    entries,
    expectation,
    flattened,
    group_of_word,
    groups_of,
    keys_of,
    read_yaml,
    sweeps,
)
from dlcli.errors import UsageError


@pytest.fixture
def own(tmp_path):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "adam.yaml").write_text("# My own Adam\n_target_: torch.optim.Adam\nlr: 0.5 # mine\n")
    (tmp_path / "optimizer" / "lion.yaml").write_text("_target_: lion.Lion\n")
    return str(tmp_path)


def test_the_shipped_configs_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (config_root() / "train.yaml").is_file()


def test_the_users_folder_comes_first_and_must_be_there(own):
    assert str(config_folders(own)[0]) == own
    with pytest.raises(UsageError, match="no such folder"):
        config_folders(own + "/nothing")


def test_a_users_file_wins_over_a_shipped_one_and_adds_new_ones(own):
    found = entries("optimizer", user=own)
    assert description(found["adam"]) == "My own Adam"
    assert {"lion", "sgd"} <= set(found)
    assert list(found) == sorted(found)


def test_a_description_is_the_first_comment_and_not_hydras_header(tmp_path, own):
    path = tmp_path / "x.yaml"
    path.write_text("# @package _global_\n# What it is for\na: 1\n")
    assert description(path) == "What it is for"
    assert description(entries("optimizer", user=own)["lion"]) == ""


@pytest.mark.parametrize(
    ("verb", "word", "group"),
    [
        ("train", "mnist", "experiment"),
        ("train", "mnist,digits", "experiment"),
        ("attack", "fgsm", "attack"),
        ("explain", "gradcam", "explainer"),
    ],
)
def test_the_first_bare_word_names_an_entry_of_the_verbs_group(verb, word, group):
    assert group_of_word(verb, word) == group


@pytest.mark.parametrize(
    ("verb", "word", "reason"),
    [
        ("train", "mnist,digist", "no experiment 'digist'.*did you mean 'digits'"),
        ("train", "optimizer.lr", "a key without a value"),
        ("evaluate", "split", "a key without a value"),
        ("evaluate", "mnist", "takes no bare word"),
        ("attack", "zebra", "no attack 'zebra'; expected one of "),
    ],
)
def test_another_bare_word_is_refused(verb, word, reason):
    with pytest.raises(UsageError, match=reason):
        group_of_word(verb, word)


def test_keys_are_found_without_composing(own):
    keys = dict(keys_of("train"))
    assert {"optimizer.lr", "trainer.epochs", "seed", "model"} <= set(keys)
    assert keys["trainer"] == "default"
    assert not [key for key in keys if "_target_" in key or key.startswith("hydra")]


@pytest.mark.parametrize("verb", WORD_GROUPS)
def test_the_groups_of_a_verb_are_those_of_its_root(verb):
    assert not [group for group in groups_of(verb) if "hydra" in group or group.startswith("/")]
    assert ("experiment" in groups_of(verb)) == (verb == "train")


def test_what_a_yaml_says_beside_a_key_is_what_is_expected_of_it():
    assert expectation("optimizer", "torch.optim.SGD", "lr") == "peak learning rate, > 0"
    assert expectation("optimizer", "torch.optim.SGD", "nesterov") == ""
    assert expectation("optimizer", "somewhere.Else", "lr") == ""


def test_flattening_gives_dotted_keys():
    content = {"a": {"_target_": "x", "b": {"c": 1}}, "d": [1], "e": {}, "hydra": {"x": 1}}
    assert flattened(content) == {"a.b.c": 1, "d": [1], "e": {}}


@pytest.mark.parametrize(("text", "reason"), [("a: [1", "line 1"), ("a: \xff".encode("latin-1"), "utf-8")])
def test_a_file_that_is_no_yaml_is_named(tmp_path, text, reason):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UsageError, match=reason) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value.hint)


def test_an_experiment_may_say_what_it_sweeps_over(tmp_path):
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\n# two rates\nhydra:\n  sweeper:\n    params:\n      optimizer.lr: 0.1,0.2\n      seed: 3\n"
    (tmp_path / "experiment" / "rates.yaml").write_text(text)
    assert sweeps("rates", user=str(tmp_path)) == {"optimizer.lr": "0.1,0.2", "seed": "3"}
    assert sweeps("mnist") == {}
    assert sweeps("nothing") == {}
