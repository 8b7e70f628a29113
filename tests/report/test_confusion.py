import io

import pytest
import torch
from rich.console import Console

from dlcli.report.terminal import confusion_picture


def shown(renderable, *, width=80, color=None):
    console = Console(width=width, color_system=color, force_terminal=color is not None, file=io.StringIO(), legacy_windows=False)
    console.print(renderable)
    return console.file.getvalue()


def lines(renderable, **options):
    return [line.rstrip() for line in shown(renderable, **options).rstrip("\n").split("\n")]


MATRIX = torch.tensor([[50, 0, 1], [7, 40, 0], [0, 12, 30]])


def test_a_confusion_picture_shows_every_count():
    drawn = lines(confusion_picture(MATRIX, ["cat", "dog", "[bold]fox"]))
    assert [line.split() for line in drawn] == [
        ["true", "0", "1", "2", "predicted"],
        ["0", "cat", "50", "·", "1"],
        ["1", "dog", "7", "40", "·"],
        ["2", "[bold]fox", "·", "12", "30"],
    ]


def test_a_name_that_is_its_number_is_shown_once():
    assert lines(confusion_picture(MATRIX, ["0", "1 - one", "two"]))[1:] == [
        "0        50   ·   1",
        "1 - one   7  40   ·",
        "2 two     ·  12  30",
    ]


def test_a_confusion_picture_that_does_not_fit_lists_the_worst_pairs():
    drawn = lines(confusion_picture(MATRIX * 10**9, ["cat", "dog", "fox"]), width=44)
    wide = lines(confusion_picture(MATRIX.repeat(8, 8)[:21, :21], [f"c{number}" for number in range(21)]), width=200)
    assert len([line for line in drawn if "%" in line]) == 3
    assert len([line for line in wide if "%" in line]) == 10
    assert "·" not in "".join(drawn + wide)


def test_pairs_are_sorted_and_say_their_share_of_the_class():
    matrix = torch.zeros(21, 21, dtype=torch.int64)
    matrix[3, 4], matrix[5, 6], matrix[3, 3] = 1, 2, 9
    drawn = [line.split() for line in lines(confusion_picture(matrix, [f"c{number}" for number in range(21)])) if "%" in line]
    assert drawn == [["5", "c5", "6", "c6", "2", "100.0", "%"], ["3", "c3", "4", "c4", "1", "10.0", "%"]]


def test_a_perfect_large_matrix_has_no_pairs():
    assert lines(confusion_picture(torch.eye(30, dtype=torch.int64), ["x"] * 30)) == ["no class was taken for another"]


def test_names_in_a_confusion_picture_are_escaped():
    for count in (2, 25):
        assert "\x1b" not in shown(confusion_picture(torch.ones(count, count, dtype=torch.int64), ["\x1b[2J"] * count))


def test_a_matrix_of_another_size_is_refused():
    with pytest.raises(ValueError, match="expected a matrix of 2 x 2"):
        confusion_picture(MATRIX, ["a", "b"])


def test_right_and_wrong_cells_have_colours_that_hold_their_text():
    drawn = shown(confusion_picture(MATRIX, ["cat", "dog", "fox"]), color="truecolor")
    assert "\x1b[38;2;255;255;255;48;2;0;84;147m 50 " in drawn
    assert drawn.count("48;2;0;84;147m") == 3
    assert drawn.count("48;2;") == 6
