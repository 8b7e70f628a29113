import inspect

import pytest

from dlcli.cli.options import FLAGS, Flag, with_flags
from dlcli.config.catalog import entries, groups_of, keys_of, read_yaml


@pytest.mark.parametrize("verb", FLAGS)
def test_every_flags_key_is_a_key_of_the_verb(verb):
    studies = [read_yaml(path) for path in entries(f"study/{verb}").values()]
    known = {*dict(keys_of(verb)), *groups_of(verb), *(f"study.{key}" for study in studies for key in study)}
    assert [flag.key for flag in FLAGS[verb].values() if flag.key is not None and flag.key not in known] == []


@pytest.mark.parametrize("verb", FLAGS)
def test_no_flag_is_declared_twice_and_each_says_something(verb):
    names = [name for flag in FLAGS[verb].values() for name in flag.names]
    assert len(names) == len(set(names))
    assert all(flag.names[0].startswith("--") and flag.help[-1] in ".…" for flag in FLAGS[verb].values())


def test_the_flags_of_the_issue_are_there():
    everywhere = {
        "--name",
        "--seed",
        "--device",
        "--workers",
        "--json",
        "--quiet",
        "--debug",
        "--open",
        "--dry-run",
        "--batch-size",
    }
    for verb, flags in FLAGS.items():
        names = {name for flag in flags.values() for name in flag.names}
        assert everywhere <= names, verb
        assert ({"--run", "--from"} <= names) and (("--split" in names) == (verb in {"evaluate", "attack", "explain"}))


def test_a_flag_is_typed_with_its_value_or_alone():
    assert Flag(int, ("--epochs", "-e"), "x").typed(3) == ["--epochs", "3"]
    assert Flag(bool, ("--quiet", "-q"), "x").typed(True) == ["--quiet"]


def test_a_command_gets_words_and_all_flags():
    seen = []
    command = with_flags("train", "X", "x")(lambda words, values: seen.append((words, values)))
    assert list(inspect.signature(command).parameters) == ["words", *FLAGS["train"]]
    command(words=None, epochs=3)
    assert seen == [([], {"epochs": 3})]
