import pytest

from dlcli.report.braille import Canvas, Range, sample, x_axis


def rows(canvas):
    return ["".join(character for character, _ in row) for row in canvas.cells()]


def test_an_empty_canvas_is_blank():
    assert rows(Canvas(3, 2)) == ["⠀⠀⠀", "⠀⠀⠀"]


def test_the_corners_are_the_corner_dots():
    for point, shown in {(0, 0): "⡀", (1, 0): "⢀", (0, 1): "⠁", (1, 1): "⠈"}.items():
        canvas = Canvas(1, 1)
        canvas.draw([point], line=0)
        assert rows(canvas) == [shown]


def test_a_level_line_fills_a_row_of_dots():
    canvas = Canvas(4, 1)
    canvas.draw([(0, 0), (1, 0)], line=0)
    assert rows(canvas) == ["⣀⣀⣀⣀"]


def test_a_rising_line_goes_up():
    canvas = Canvas(2, 1)
    canvas.draw([(0, 0), (1, 1)], line=0)
    assert rows(canvas) == ["⡠⠊"]


def test_a_cell_belongs_to_the_line_drawn_last():
    canvas = Canvas(2, 1)
    canvas.draw([(0, 0), (1, 0)], line=0)
    canvas.draw([(0, 1)], line=3)
    assert [owner for _, owner in canvas.cells()[0]] == [3, 0]


def test_the_first_three_lines_differ_without_colour():
    assert len({sample(line, width=6) for line in range(3)}) == 3


def test_a_canvas_has_a_cell():
    with pytest.raises(ValueError, match="at least one cell"):
        Canvas(0, 3)


def test_a_range_scales_its_ends_to_zero_and_one():
    found = Range.of([3.0, -1.0, 0.0])
    assert [found.scale(value) for value in (-1.0, 1.0, 3.0)] == [0.0, 0.5, 1.0]


def test_a_range_of_one_value_has_it_in_the_middle():
    assert Range.of([7.0, 7.0]).scale(7.0) == 0.5


def test_the_axis_shows_both_ends_and_its_label():
    line, labels = x_axis(Range(0, 20), 30, margin=4, label="epoch").split("\n")
    assert line == "    └" + "─" * 30
    assert labels.startswith("     0 ")
    assert labels.endswith(" 20")
    assert "epoch" in labels
    assert len(labels) == len(line)
