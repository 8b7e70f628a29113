"""Figures over the arms of a sweep: PNGs whose content follows from the lines."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from dlcli.metrics.intervals import mean_interval
from dlcli.report.arms import arm_curves, response_plot


def lines(values: list[float]) -> list[dict]:
    return [
        {"step": 10 * epoch, "epoch": epoch, "split": split, "name": "accuracy", "value": value}
        for epoch, value in enumerate(values)
        for split in ("train", "val")
    ]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_arms_that_do_better_are_drawn_elsewhere():
    one = pixels(arm_curves({"dropout=0": [lines([0.5, 0.6]), lines([0.4, 0.7])]}, band=mean_interval))
    other = pixels(arm_curves({"dropout=0": [lines([0.5, 0.9]), lines([0.4, 0.9])]}, band=mean_interval))
    assert one.shape == other.shape
    assert not np.array_equal(one, other)


def test_two_arms_have_two_colours():
    single = {tuple(pixel) for pixel in pixels(arm_curves({"a": [lines([0.5, 0.6])]}, band=mean_interval)).reshape(-1, 3)}
    arms = {"a": [lines([0.5, 0.6])], "b": [lines([0.3, 0.4])]}
    both = {tuple(pixel) for pixel in pixels(arm_curves(arms, band=mean_interval)).reshape(-1, 3)}
    assert len(both) > len(single)


def test_runs_of_unlike_length_count_as_far_as_they_went():
    assert arm_curves({"a": [lines([0.5, 0.6, 0.7]), lines([0.5])]}, band=mean_interval).startswith(b"\x89PNG")


def test_without_a_line_the_picture_says_so():
    assert not np.array_equal(pixels(arm_curves({"a": [[]]}, band=mean_interval)), 255)


def test_a_response_over_orders_of_magnitude_has_a_logarithmic_axis():
    lanes = {
        "norm=batch": {0.01: [0.8, 0.82], 0.1: [0.9, 0.91], 1.0: [0.9, 0.9]},
        "norm=none": {0.01: [0.7], 0.1: [0.8], 1.0: [0.1]},
    }
    wide = pixels(response_plot(lanes, x_label="optimizer.lr", title="test accuracy", band=mean_interval))
    narrow = {label: {1 + number: values for number, values in points.items()} for label, points in lanes.items()}
    assert not np.array_equal(
        wide, pixels(response_plot(narrow, x_label="optimizer.lr", title="test accuracy", band=mean_interval))
    )
