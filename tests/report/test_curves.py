import math

import pytest

from dlcli.contracts import Metric
from dlcli.report.curves import draw, draw_band, metric_points, scale, x_axis
from dlcli.report.figure import new_figure


def line(epoch, value, *, split="train", name="loss", step=None):
    return {"step": 10 * epoch if step is None else step, "epoch": epoch, "split": split, "name": name, "value": value}


@pytest.fixture
def axes():
    return new_figure(2, 2).subplots()


def test_points_are_those_of_one_metric_in_order():
    lines = [line(2, 0.5), line(1, 1.0), line(1, 9.0, split="val"), line(1, 8.0, name="accuracy"), {"time": 3.0}]
    assert metric_points(lines, "train", "loss", "epoch") == [(1.0, 1.0), (2.0, 0.5)]
    assert metric_points(lines, "train", "loss", "step") == [(10.0, 1.0), (20.0, 0.5)]


def test_a_null_value_is_a_gap():
    points = metric_points([line(1, 1.0), line(2, None)], "train", "loss", "epoch")
    assert points[1][0] == 2
    assert math.isnan(points[1][1])


def test_the_axis_is_epochs_where_each_metric_has_one_value_per_epoch():
    assert x_axis([line(1, 1.0), line(2, 1.0), line(1, 1.0, split="val")]) == "epoch"


def test_the_axis_is_steps_where_a_metric_has_more_values_in_an_epoch():
    assert x_axis([line(1, 1.0, step=5), line(1, 1.0, step=10)]) == "step"


def test_the_axis_is_steps_where_a_line_has_no_epoch():
    assert x_axis([line(1, 1.0), {"step": 3, "epoch": None, "split": "train", "name": "lr", "value": 0.1}]) == "step"


def test_percent_is_drawn_in_hundredths(axes):
    assert list(draw(axes, [(0, 0.5), (1, 0.75)], percent=True).get_ydata()) == [50, 75]


def test_a_long_line_is_smoothed_over_its_pale_self(axes):
    drawn = draw(axes, [(x, x % 2) for x in range(1000)], percent=False)
    assert len(axes.get_lines()) == 2
    assert all(0.4 < y < 0.6 for y in drawn.get_ydata())


def test_smoothing_leaves_out_what_is_not_finite(axes):
    drawn = draw(axes, [(x, math.nan if x == 150 else 1.0) for x in range(300)], percent=False)
    assert set(drawn.get_ydata()) == {1.0}


@pytest.mark.parametrize(
    ("values", "kind"), [([2.0, 0.01], "log"), ([2.0, 0.1], "linear"), ([2.0, 0.0], "linear"), ([], "linear")]
)
def test_loss_over_a_wide_range_is_logarithmic(axes, values, kind):
    scale(axes, "loss", values)
    assert axes.get_yscale() == kind


def test_the_band_is_made_by_the_function_given_where_all_runs_have_a_value(axes):
    seen = []

    def band(values):
        seen.append(values)
        return Metric(sum(values) / len(values), min(values), max(values))

    draw_band(axes, {"a": [(1, 0.5), (2, 0.7)], "b": [(1, 0.7), (2, 0.9), (3, 1.0)]}, percent=True, band=band)
    assert seen == [[0.5, 0.7], [0.7, 0.9]]
    assert list(axes.get_lines()[-1].get_ydata()) == pytest.approx([60, 80])


def test_runs_without_a_common_x_have_no_mean(axes):
    draw_band(axes, {"a": [(1, 0.5)], "b": [(2, 0.5)]}, percent=False, band=lambda values: Metric(0.0))
    assert len(axes.get_lines()[-1].get_xdata()) == 0
