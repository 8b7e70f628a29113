import io
import math
import sys
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image

from dlcli.report import figure, plots


@dataclass(frozen=True)
class Bin:
    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


BINS = [Bin(0.0, 0.5, 0, math.nan, math.nan), Bin(0.5, 1.0, 10, 0.8, 0.7)]


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    """Few pixels: these tests ask for no detail, and drawing is what they wait for."""
    monkeypatch.setattr(figure, "_DPI", 30)


def line(epoch, split, name, value):
    return {"step": 10 * epoch, "epoch": epoch, "split": split, "name": name, "value": value}


def run(shift=0.0):
    return [
        line(epoch, split, name, value + shift)
        for epoch in range(1, 4)
        for split in ("train", "val")
        for name, value in (("loss", 1 / epoch), ("accuracy", 1 - 0.5 / epoch))
    ]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


EVERY = {
    "training_curves": lambda: plots.training_curves(run()),
    "overlaid_curves": lambda: plots.overlaid_curves({"a": run(), "b": run(0.01)}, split="val", name="loss"),
    "confusion_plot": lambda: plots.confusion_plot(torch.eye(3, dtype=torch.int64), ["a", "b", "c"]),
    "reliability_plot": lambda: plots.reliability_plot(BINS),
}


def test_robust_accuracy_is_drawn_beside_accuracy_in_the_colour_of_val(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "legend", lambda _axes, handles, names: drawn.append((names, handles)))
    plots.training_curves(run() + [line(epoch, "val", "robust_accuracy", 0.2 * epoch) for epoch in range(1, 4)])
    (loss, _), (accuracy, handles) = drawn
    assert (loss, accuracy) == (["train", "val"], ["train", "val", "val, attacked"])
    assert list(handles[2].get_ydata()) == pytest.approx([20, 40, 60])
    assert handles[2].get_color() == handles[1].get_color()
    assert handles[2].get_linestyle() != handles[1].get_linestyle()
    assert handles[2].get_markerfacecolor() != handles[1].get_markerfacecolor()


@pytest.mark.parametrize("name", EVERY)
def test_the_same_numbers_give_the_same_bytes_without_metadata(name):
    first = EVERY[name]()
    assert first == EVERY[name]()
    assert not any(chunk in first for chunk in (b"tEXt", b"tIME", b"iTXt", b"Software"))


def test_a_figure_is_free_of_the_users_matplotlib_style():
    plain = EVERY["training_curves"]()
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30}):
        assert EVERY["training_curves"]() == plain
        assert mpl.rcParams["font.size"] == 30


@pytest.mark.parametrize("name", EVERY)
def test_pyplot_and_its_global_state_are_not_needed(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert EVERY[name]().startswith(b"\x89PNG")


def test_a_panel_for_each_recorded_metric_and_none_for_others():
    one = pixels(plots.training_curves([line(1, "train", "loss", 0.5), line(1, "val", "recall/3", 0.5), {"time": 3.0}]))
    two = pixels(plots.training_curves(run()))
    three = pixels(plots.training_curves([*run(), line(1, "train", "lr", 0.1)]))
    assert [picture.shape[1] for picture in (two, three)] == [2 * one.shape[1], 3 * one.shape[1]]


def test_no_lines_make_a_figure_that_says_so():
    assert plots.training_curves([]) == plots.training_curves([line(1, "val", "other", 1.0)])


def test_a_run_that_only_diverged_can_be_drawn():
    assert plots.training_curves([line(epoch, "train", "loss", None) for epoch in range(3)]).startswith(b"\x89PNG")


def test_runs_without_the_metric_are_left_out():
    both = plots.overlaid_curves({"a": run(), "empty": []}, split="val", name="loss")
    assert both == plots.overlaid_curves({"a": run()}, split="val", name="loss")


def test_a_metric_that_no_run_has_gives_a_figure_that_says_so():
    assert plots.overlaid_curves({"a": run()}, split="val", name="auroc").startswith(b"\x89PNG")


def test_forty_runs_can_be_overlaid():
    runs = {f"run {number}": run(number / 100) for number in range(40)}
    assert plots.overlaid_curves(runs, split="val", name="loss").startswith(b"\x89PNG")


# Each would raise, warn (an error in these tests) or vanish if matplotlib read it as mathematics or as a private label.
NAMES = [r"$\frac{", "$$$", "_hidden", "猫", "a\nb\x1b", "\\", "x" * 300, ""]


def test_every_name_can_be_a_class_or_a_title():
    assert plots.confusion_plot(torch.eye(8, dtype=torch.int64), NAMES).startswith(b"\x89PNG")


def test_a_confusion_plot_says_of_what_it_is() -> None:
    matrix = torch.eye(3, dtype=torch.int64)
    plain, attacked = (plots.confusion_plot(matrix, ["a", "b", "c"], **own) for own in ({}, {"title": "under attack"}))
    assert plain != attacked


@pytest.mark.parametrize("count", [2, 21, 51])
def test_confusion_plots_of_any_size(count):
    matrix = torch.eye(count, dtype=torch.int64) * 1000
    matrix[0] = 0
    assert plots.confusion_plot(matrix, [f"class {number}" for number in range(count)]).startswith(b"\x89PNG")


def test_a_confusion_plot_needs_a_square_matrix_of_the_classes():
    with pytest.raises(ValueError, match="expected a matrix of 3 x 3"):
        plots.confusion_plot(torch.eye(2), ["a", "b", "c"])


def test_reliability_of_nothing_says_so():
    assert plots.reliability_plot(BINS[:1]) == plots.reliability_plot([])
