"""Points of classes as a figure and for the terminal."""

from __future__ import annotations

import torch

from dlcli.report.scatter import scatter_picture, scatter_plot

POINTS = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
TARGETS = torch.tensor([0, 1, 9, 9])


def test_the_figure_is_a_png_that_changes_with_the_wrong_examples():
    classes = [f"class $_{number}" for number in range(10)]
    none, one = (scatter_plot({"PCA": POINTS}, TARGETS, wrong, classes=classes) for wrong in (TARGETS > 9, TARGETS == 1))
    assert none.startswith(b"\x89PNG")
    assert none != one
    assert none == scatter_plot({"PCA": POINTS}, TARGETS, TARGETS > 9, classes=classes)


def test_the_terminals_picture_has_the_corners_in_the_classes_colours():
    text = scatter_picture(POINTS, TARGETS)
    colors = {str(span.style) for span in text.spans}
    assert any("#0072b2" in color for color in colors)
    assert any("#d55e00" in color for color in colors)


def test_points_that_all_fall_together_are_drawn():
    assert scatter_picture(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)).plain
