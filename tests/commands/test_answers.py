import io
import math

import pytest
import torch
from rich.console import Console

from dlcli.commands.answers import observed_in_words, percent, print_answers, table_of
from dlcli.commands.predictions import Answers, Prediction
from dlcli.metrics.calibrated import Calibration, Peers

FITTED = Calibration(2.0, {"f1": 0.3}, (Peers(0.0, 0.4, 50, 10), Peers(0.4, 1.0, 48, 41)))


def answers(classes="ab", calibration=FITTED, threshold=("0.5", 0.5), top=3) -> Answers:
    return Answers(classes=tuple(classes), calibration=calibration, threshold=threshold, top=top)


def logit(chance: float) -> float:
    return math.log(chance / (1 - chance))


def printed(predicted, limit=None) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table_of(predicted, limit=limit))
    return console.file.getvalue()  # type: ignore[attr-defined]


def people(*chances: float, threshold=("0.5", 0.5)):
    """Rows of two classes with these calibrated p(b), on lines 2, 3 …"""
    own = answers(threshold=threshold)
    made = own.to(torch.tensor([[2 * logit(chance)] for chance in chances]))
    items = [Prediction(**{**vars(one("people.csv", "")), "line": at, "key": f"P{at}"}) for at, one in enumerate(made, start=2)]
    return own.predicted(items, key_name="person")


def test_what_was_observed_is_said_in_words_with_its_interval():
    predicted = people(0.9)
    # Wilson's interval of 41 of 48 by its formula: 0.728 to 0.927.
    assert observed_in_words(predicted, predicted.items[0]) == "of 48 similar validation examples 41 were b (73–93 %)"
    many = answers("abc", threshold=None)
    item = many.to(torch.tensor([[9.0, 0.0, 0.0]]))[0]("x", "")
    assert "41 were right" in observed_in_words(many.predicted([item]), item)


def test_the_table_draws_the_threshold_between_the_rows():
    lines = [line.split()[0] for line in printed(people(0.2, 0.9, 0.6)).splitlines()]
    assert lines == ["rank", "1", "2", "──", "3"]


def test_the_table_stops_at_the_limit():
    assert len(printed(people(0.9, 0.8, 0.7), limit=2).splitlines()) == 3


def test_hostile_names_cannot_drive_the_terminal():
    own = answers(["\x1b[31mred", "[bold]b", "c"], threshold=None)
    item = own.to(torch.rand(1, 3))[0]("\x1b[2J.png", "")
    page = printed(own.predicted([item]))
    assert "\x1b" not in page
    assert "[bold]b" in page


def test_answers_are_printed_with_a_count_of_the_rest(capsys):
    print_answers(people(0.2, 0.9, 0.6), limit=1)
    out = capsys.readouterr().out
    assert "3 predicted: b 2, a 1 (threshold 0.5: p >= 0.5)" in out
    assert "2 more: --all shows them" in out


@pytest.mark.parametrize(("chance", "words"), [(0.5, "50.0 %"), (0.99999, "> 99.9 %"), (0.0001, "< 0.1 %"), (None, "")])
def test_no_probability_is_shown_as_certain(chance, words):
    assert percent(chance) == words


def test_a_key_column_that_is_called_line_is_shown_beside_the_line():
    predicted = people(0.9)
    renamed = type(predicted)(**{**vars(predicted), "key_name": "line"})
    assert printed(renamed).splitlines()[1].split()[:3] == ["1", "2", "P2"]
