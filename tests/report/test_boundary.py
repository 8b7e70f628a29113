"""Decision boundaries in the plane, as a figure and for the terminal."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from dlcli.report import figure
from dlcli.report.boundary import boundary_picture, boundary_plot
from dlcli.report.figure import COLORS

X, Y = torch.linspace(-0.3, 1.3, 40), torch.linspace(-0.5, 1.5, 30)
CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, "_DPI", 90)


def options(**changes: Any) -> dict[str, Any]:
    given = {"points": CORNERS, "targets": torch.tensor([0, 0, 0, 1]), "classes": ("0", "1"), "column_names": ("a", "b")}
    return {**given, **changes}


def neuron(x: Tensor = X, y: Tensor = Y) -> Tensor:
    """AND by one neuron, sure of itself: (H, W)."""
    return torch.sigmoid(20 * (y[:, None] + x[None, :] - 1.5))


def three() -> Tensor:
    """Three classes in upright thirds: (H, W, 3)."""
    lead = torch.stack([-(X - centre).square() for centre in (-0.1, 0.5, 1.1)], dim=1)
    return (20 * lead).softmax(dim=1).expand(len(Y), len(X), 3)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def count(drawn: np.ndarray, colour: str) -> int:
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return int((np.abs(drawn - wanted).sum(axis=2) < 30).sum())


def plane(text: str) -> list[str]:
    """The lines of the plane itself, without the labels."""
    return [line.split("┤" if "┤" in line else "│")[1] for line in text.split("\n") if "┤" in line or "│" in line]


# Figure


def test_the_same_regions_give_the_same_bytes() -> None:
    assert boundary_plot(X, Y, neuron(), **options()) == boundary_plot(X, Y, neuron(), **options())


def test_one_probability_for_two_classes_is_both_of_them() -> None:
    both = torch.stack([1 - neuron(), neuron()], dim=2)
    assert boundary_plot(X, Y, both, **options()) == boundary_plot(X, Y, neuron(), **options())


def test_the_second_column_rises_upwards() -> None:
    upper = (Y[:, None] > 0.5).float().expand(len(Y), len(X))
    drawn = pixels(boundary_plot(X, Y, upper, **options(points=torch.zeros(0, 2), targets=torch.zeros(0, dtype=torch.int64))))
    column = drawn[:, drawn.shape[1] // 2]
    blue, red = column[:, 2] - column[:, 0] > 40, column[:, 0] - column[:, 2] > 40
    assert red.any()
    assert blue.any()
    assert np.flatnonzero(red).max() < np.flatnonzero(blue).min() + 2


def test_the_boundary_is_a_black_line_where_there_is_one() -> None:
    with_line = pixels(boundary_plot(X, Y, neuron(), **options()))
    without = pixels(boundary_plot(X, Y, torch.full_like(neuron(), 0.9), **options()))
    assert count(with_line, "#000000") > count(without, "#000000") + 200


@pytest.mark.parametrize("classes", [("a", "b", "c"), ("one", "$two$", "\x1b[31mthree")])
def test_several_classes_have_regions_and_points_of_their_own_colours(classes: tuple[str, ...]) -> None:
    points = torch.rand(60, 2, generator=torch.Generator().manual_seed(0))
    drawn = pixels(boundary_plot(X, Y, three(), **options(points=points, targets=torch.arange(60) % 3, classes=classes)))
    assert all(count(drawn, colour) > 20 for colour in COLORS[:3])


def test_the_points_of_a_truth_table_are_large() -> None:
    def ink(points: Tensor) -> int:
        given = options(points=points, targets=torch.zeros(len(points), dtype=torch.int64))
        return count(pixels(boundary_plot(X, Y, torch.full_like(neuron(), 0.2), **given)), COLORS[0])

    assert ink(CORNERS) / 4 > 4 * ink(CORNERS.repeat(25, 1)) / 4


def test_many_points_are_drawn_in_part() -> None:
    points = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(0))
    assert boundary_plot(X, Y, neuron(), **options(points=points, targets=torch.arange(20_000) % 2)).startswith(b"\x89PNG")


def test_a_point_without_a_place_is_left_out() -> None:
    lost = options(points=torch.cat([CORNERS, torch.tensor([[math.nan, 0.5]])]), targets=torch.tensor([0, 0, 0, 1, 1]))
    assert boundary_picture(X, Y, neuron(), **lost).plain == boundary_picture(X, Y, neuron(), **options()).plain
    assert boundary_plot(X, Y, neuron(), **lost).startswith(b"\x89PNG")


# Terminal


def test_regions_and_points_stand_where_they_belong() -> None:
    rows = plane(boundary_picture(X, Y, neuron(), **options(), width=40, height=11).plain)
    assert len(rows) == 11
    assert rows[0][-1] == "░"  # top right: both are on
    assert rows[-1][0] == "·"
    at = [(row, column) for row, line in enumerate(rows) for column, letter in enumerate(line) if letter in "01"]
    assert [rows[row][column] for row, column in at] == ["0", "1", "0", "0"]  # (0, 1), (1, 1), (0, 0), (1, 0)
    assert at[0][0] == at[1][0] < at[2][0] == at[3][0]
    assert at[0][1] == at[2][1] < at[1][1] == at[3][1]


def test_the_picture_keeps_to_its_width_and_names_its_axes_and_classes() -> None:
    named = options(classes=("no", "yes"), column_names=("x" * 80, "height\x1b[31m"))
    text = boundary_picture(X, Y, neuron(), **named, width=44, height=8).plain
    lines = text.split("\n")
    assert max(map(len, lines)) <= 44
    assert "\x1b" not in text
    assert lines[0].split() == ["height\\x1b[31m"]
    assert lines[-1].split() == ["n··", "no", "y░░", "yes"]
    assert (lines[1].split("┤")[0].strip(), lines[8].split("┤")[0].strip()) == ("1.5", "-0.5")


def test_classes_that_begin_alike_are_numbered() -> None:
    text = boundary_picture(X, Y, three(), **options(classes=("cat", "cow", "dog")))
    assert text.plain.split("\n")[-1].split() == ["0··", "cat", "1░░", "cow", "2▒▒", "dog"]


def test_a_point_outside_of_the_plane_is_left_out() -> None:
    far = options(points=torch.tensor([[9.0, 9.0], [-9.0, 0.0]]), targets=torch.tensor([0, 1]))
    assert not set("01") & set("".join(plane(boundary_picture(X, Y, neuron(), **far).plain)))


# Mistakes of the caller


@pytest.mark.parametrize(
    ("probability", "message"),
    [(neuron().T, r"must be \(30, 40, 2\)"), (three(), r"must be \(30, 40, 2\) .* got \(30, 40, 3\)")],
)
def test_probabilities_that_do_not_fit_the_grid_or_the_classes_are_refused(probability: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        boundary_plot(X, Y, probability, **options())


def test_a_grid_of_one_line_is_refused() -> None:
    with pytest.raises(ValueError, match="two points each way"):
        boundary_picture(X, Y[:1], neuron()[:1], **options())
