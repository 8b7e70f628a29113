import io
import math

import pytest
import torch
from rich.console import Console
from rich.text import Text

from dlcli.contracts import Metric
from dlcli.report.terminal import curve, gallery, interval, picture


def shown(renderable, *, width=80, color=None):
    console = Console(width=width, color_system=color, force_terminal=color is not None, file=io.StringIO(), legacy_windows=False)
    console.print(renderable)
    return console.file.getvalue()


def lines(renderable, **options):
    return [line.rstrip() for line in shown(renderable, **options).rstrip("\n").split("\n")]


def flat(height, width, value=128):
    return torch.full((height, width, 3), value, dtype=torch.uint8)


def test_an_interval_in_percent():
    assert interval(Metric(0.9941, 0.9924, 0.9954, 10000, "wilson")) == "99.41 % [99.24, 99.54]"


def test_an_interval_of_a_plain_number_has_four_digits():
    assert interval(Metric(0.031234, 0.0290, 0.033419), percent=False) == "0.03123 [0.029, 0.03342]"


def test_a_metric_without_bounds_shows_only_its_value():
    assert interval(Metric(0.5, n=3)) == "50.00 %"


def test_a_metric_that_is_no_number_is_a_dash():
    assert interval(Metric(math.nan, n=0)) == "–"


def test_two_pixels_share_a_cell():
    text = picture(torch.tensor([[[255, 0, 0]], [[0, 0, 255]]], dtype=torch.uint8), width=None)
    assert text.plain == "▀"
    assert (text.spans[0].style.color.name, text.spans[0].style.bgcolor.name) == ("#ff0000", "#0000ff")


def test_a_digit_is_28_columns_and_14_lines():
    drawn = picture(flat(28, 28), width=60).plain.split("\n")
    assert [len(line) for line in drawn] == [28] * 14


def test_the_last_of_an_odd_number_of_rows_has_no_lower_half():
    text = picture(flat(3, 1), width=None)
    assert text.plain == "▀\n▀"
    assert text.spans[-1].style.bgcolor is None


def test_a_wide_image_is_averaged_down_in_shape():
    image = torch.cat([flat(8, 8, 0), flat(8, 8, 200)], dim=0)
    text = picture(image, width=4)
    assert text.plain == "\n".join(["▀▀▀▀"] * 4)
    assert {span.style.color.name for span in text.spans} == {"#000000", "#c8c8c8"}


def test_without_colour_lighter_pixels_have_more_ink():
    image = torch.cat([flat(2, 1, 0), flat(2, 1, 128), flat(2, 1, 255)], dim=1)
    assert picture(image, width=None, color=False).plain == " +@"


def test_a_gallery_shows_as_many_in_a_row_as_fit():
    images, captions = torch.stack([flat(28, 28)] * 5), ["first", "second", "third", "fourth", "fifth"]
    for width, rows in ((28, 5), (57, 5), (58, 3), (88, 2), (200, 1)):
        drawn = lines(gallery(images, captions), width=width)
        assert sum("first" in line or "second" in line or "third" in line for line in drawn) == (
            1 if width >= 88 else 2 if width >= 58 else 3
        )
        assert len(drawn) == rows * 16 - 1


def test_a_gallery_keeps_to_its_columns():
    drawn = lines(gallery(torch.stack([flat(4, 4)] * 4), list("abcd"), columns=2), width=80)
    assert [line.split() for line in drawn if "a" in line or "c" in line] == [["a", "b"], ["c", "d"]]


def test_a_gallery_never_exceeds_a_narrow_console():
    assert max(len(line) for line in lines(gallery(flat(28, 28)[None], ["caption"]), width=12)) <= 12


def test_a_gallery_draws_colours_where_the_console_has_them():
    one = gallery(flat(2, 2, 10)[None], ["x"])
    assert "\x1b[38;2;10;10;10;48;2;10;10;10m▀▀" in shown(one, color="truecolor")
    assert "▀" not in shown(one)


def test_an_empty_gallery_is_empty():
    assert shown(gallery(torch.zeros(0, 4, 4, 3, dtype=torch.uint8), [])) == ""


@pytest.mark.parametrize("caption", ["[red]7[/red] \x1b[2J", Text("[red]7[/red] \x1b[2J")])
def test_captions_are_neither_markup_nor_control(caption):
    drawn = shown(gallery(flat(28, 28)[None], [caption]))
    assert "[red]7[/red] \\x1b[2J" in drawn
    assert "\x1b" not in drawn


def test_a_styled_caption_keeps_its_style():
    assert "\x1b[1mseven" in shown(gallery(flat(28, 28)[None], [Text("seven", style="bold")]), color="truecolor")


def test_a_gallery_needs_a_caption_for_each_image():
    with pytest.raises(ValueError, match="a caption for each of 2 images, got 1"):
        gallery(torch.stack([flat(2, 2)] * 2), ["a"])


def test_a_curve_is_as_wide_and_high_as_asked():
    text = curve({"loss": [(0, 2.0), (1, 1.0), (2, 0.5)]}, width=50, height=6)
    rows = text.plain.split("\n")
    assert len(rows) == 6 + 3
    assert {len(row) for row in rows[:6]} == {50}


def test_a_curve_shows_its_range_and_last_values():
    plain = curve({"train": [(1, 2.5), (9, 0.25)], "val": [(1, 2.0), (9, 0.75)]}, width=60, x_label="epoch").plain
    rows = plain.split("\n")
    assert rows[0].startswith(" 2.5 ┤")
    assert rows[9].startswith("0.25 ┤")
    assert rows[11].split() == ["1", "epoch", "9"]
    assert "train 0.25" in rows[12]
    assert "val 0.75" in rows[12]


def test_a_falling_curve_starts_high_and_ends_low():
    rows = curve({"loss": [(0, 1.0), (1, 0.0)]}, width=30, height=4).plain.split("\n")
    plots = [row.partition("┤")[2] or row.partition("│")[2] for row in rows[:4]]
    assert [row.strip("⠀") != "" for row in plots] == [True] * 4
    starts = [len(row) - len(row.lstrip("⠀")) for row in plots]
    assert starts == sorted(starts)
    assert starts[0] < starts[3]


def test_equal_ratios_of_x_are_equally_far_apart_where_that_is_asked():
    plain = curve({"a": [(1, 1.0), (2, 2.0), (3, 0.0)]}, width=40).plain.split("\n")
    ratios = curve({"a": [(10, 1.0), (100, 2.0), (1000, 0.0)]}, width=40, log_x=True).plain.split("\n")
    assert ratios[:10] == plain[:10]
    assert ratios[11].split() == ["10", "1000"]


def test_non_finite_points_are_left_out():
    points = [(0, math.nan), (1, 1.0), (2, math.inf), (3, 2.0)]
    assert curve({"loss": points}, width=40).plain == curve({"loss": [(1, 1.0), (3, 2.0)]}, width=40).plain


def test_a_curve_of_nothing_says_so():
    assert curve({"loss": []}, width=40).plain == "no finite values to draw"


@pytest.mark.parametrize("points", [[(1, 0.5)], [(1, 0.5), (2, 0.5)]])
def test_a_single_value_can_be_drawn(points):
    plain = curve({"loss": points}, width=40).plain
    assert any(0x2800 < ord(character) < 0x2900 for row in plain.split("\n")[:10] for character in row)


def test_names_of_a_curve_are_escaped():
    assert "\\x1b[2J" in curve({"\x1b[2J": [(0, 1)]}, width=40).plain
