"""Pictures of robustness are drawn from any curve, also from short ones."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from dlcli.contracts import Metric
from dlcli.report.robust_plots import distance_plot, robust_curve_plot

CURVE = {0.0: Metric(0.99, 0.98, 1.0, 100), 0.1: Metric(0.5, 0.4, 0.6, 100), 0.3: Metric(0.0, 0.0, 0.04, 100)}


def pixels(data: bytes) -> list[tuple[int, int, int]]:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return [color for _, color in image.getcolors(1 << 24)]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_curve_has_a_colour_of_its_own(norm):
    one = robust_curve_plot({"model": CURVE}, epsilon=0.3, norm=norm)
    two = robust_curve_plot({"model": CURVE, "certified": CURVE}, epsilon=0.3, norm=norm)
    assert (0, 114, 178) in pixels(one)
    assert (213, 94, 0) not in pixels(one)
    assert (213, 94, 0) in pixels(two)


def test_a_point_of_its_own_is_drawn():
    without = robust_curve_plot({"model": CURVE}, epsilon=0.3, norm="l2")
    assert robust_curve_plot({"model": CURVE}, epsilon=0.3, norm="l2", points={"smoothed": Metric(0.5)}) != without


def test_the_same_figures_give_the_same_bytes():
    assert robust_curve_plot({"a": CURVE}, epsilon=0.3, norm="linf") == robust_curve_plot({"a": CURVE}, epsilon=0.3, norm="linf")


def test_examples_that_are_never_broken_have_a_bar_of_another_colour():
    broken = distance_plot([0.0, 0.1, 0.3], [4, 2], beyond=0, epsilon=0.1, norm="linf")
    some_left = distance_plot([0.0, 0.1, 0.3], [4, 2], beyond=3, epsilon=0.1, norm="linf")
    assert (0, 158, 115) not in pixels(broken)
    assert (0, 158, 115) in pixels(some_left)


def test_no_examples_are_said_to_be_none():
    assert pixels(distance_plot([0.0, 0.1], [0], beyond=0, epsilon=0.1, norm="linf"))
