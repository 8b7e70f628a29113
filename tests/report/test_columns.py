"""Text in columns."""

from dlcli.report.columns import aligned, cell_width, joined


def test_columns_stand_below_each_other_and_rows_end_without_blanks():
    lines = joined(aligned([("id", "n"), ("abc", "1"), ("d", "")], right=[1]))
    assert lines == ["id   n", "abc  1", "d"]


def test_wide_characters_take_two_places():
    lines = joined(aligned([("猫", "x"), ("abcd", "y")]))
    assert (cell_width("猫"), lines) == (2, ["猫    x", "abcd  y"])


def test_foreign_text_cannot_drive_the_terminal():
    (line,) = joined(aligned([("a\x1b[31m\nb", "c")]))
    assert line == "a\\x1b[31m\\x0ab  c"
