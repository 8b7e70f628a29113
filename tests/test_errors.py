import pickle

import pytest

from dlcli.errors import (
    ComputeError,
    ConfigError,
    DataError,
    DlcliError,
    Interrupted,
    LockedError,
    StorageError,
    UsageError,
    did_you_mean,
    nearest,
    suggestion,
)

KINDS = [
    (DlcliError("a", hint="b"), 1),
    (UsageError("a", hint="b"), 2),
    (ConfigError(["a", "c"], hint="b"), 2),
    (DataError("a", hint="b"), 65),
    (ComputeError("a", hint="b"), 70),
    (StorageError("a", hint="b"), 74),
    (LockedError("a", hint="b"), 75),
    (Interrupted("a", signal_number=2, hint="b"), 130),
    (Interrupted("a", signal_number=15, hint="b"), 143),
]


@pytest.mark.parametrize(("error", "code"), KINDS, ids=[f"{type(error).__name__} {code}" for error, code in KINDS])
def test_each_kind_ends_in_its_documented_exit_code(error, code):
    assert error.code == code
    assert isinstance(error, DlcliError)


@pytest.mark.parametrize(("error", "code"), KINDS, ids=[f"{type(error).__name__} {code}" for error, code in KINDS])
def test_an_error_comes_home_whole_from_another_process(error, code):
    error.add_note("log: here")
    home = pickle.loads(pickle.dumps(error))
    assert type(home) is type(error)
    assert (home.code, str(home), home.__dict__) == (code, str(error), error.__dict__)


def test_a_config_error_shows_eight_lines_and_counts_the_rest():
    assert ConfigError([str(number) for number in range(8)]).message.split("\n") == list("01234567")
    nine = ConfigError([str(number) for number in range(9)])
    assert nine.message.split("\n") == [*"0123456", "… and 2 more mistakes"]
    assert len(nine.mistakes) == 9


def test_near_words_come_best_first_and_at_most_three():
    assert nearest("adamx", ["sgd", "adamw", "adam", "adamax", "adagrad"]) == ["adamax", "adam", "adamw"]
    assert nearest("zebra", ["sgd", "adam"]) == []
    assert nearest("adam", ["ADAM", "Adam", "aDam", "adam"])[0] == "adam"
    assert nearest("MNITS", ["mnist", "digits"]) == ["mnist"]
    assert nearest("attrition", ["Attrition", "Age"]) == ["Attrition"]


def test_a_suggestion_reads_as_a_sentence():
    assert suggestion([]) == ""
    assert suggestion(["a"]) == "; did you mean 'a'?"
    assert suggestion(["a", "b", "c"]) == "; did you mean 'a', 'b' or 'c'?"
    assert did_you_mean("mnits", ["mnist", "digits"]) == "; did you mean 'mnist'?"
    assert did_you_mean("zebra", ["mnist"]) == ""
