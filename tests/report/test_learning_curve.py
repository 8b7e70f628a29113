"""Learning curves: PNG and terminal."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from dlcli.contracts import Metric
from dlcli.report.learning_curve import learning_curve_picture, learning_curve_plot


def curves(half: float = 0.05, counts: tuple[int, ...] = (10, 30, 100)) -> dict[str, dict[int, Metric]]:
    return {
        name: {
            count: Metric(level + place / 10, level + place / 10 - half, level + place / 10 + half)
            for place, count in enumerate(counts)
        }
        for name, level in (("finetuned", 0.6), ("from scratch", 0.2))
    }


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_wider_intervals_are_drawn_wider() -> None:
    narrow, wide = (pixels(learning_curve_plot(curves(half), title="digits")) for half in (0.01, 0.15))
    assert narrow.shape == wide.shape
    assert (wide < 255).sum() > (narrow < 255).sum()


def test_equal_ratios_are_equally_far_apart() -> None:
    three, two = (
        pixels(learning_curve_plot({"a": {count: Metric(0.5, 0.4, 0.6) for count in counts}}, title=""))
        for counts in ((10, 100, 1000), (10, 1000))
    )
    middle = np.flatnonzero((three != two).any(axis=(0, 2)))
    black = (two == 0).all(axis=2)
    axis = np.flatnonzero(black[black.sum(axis=1).argmax()])
    assert abs((middle.min() + middle.max()) / 2 - (axis.min() + axis.max()) / 2) < 3


def test_one_count_is_drawn_and_so_is_a_mean_without_bounds() -> None:
    assert learning_curve_plot(curves(counts=(10,)), title="digits").startswith(b"\x89PNG")
    assert learning_curve_plot({"a": {10: Metric(0.5), 20: Metric(0.6)}}, title="digits").startswith(b"\x89PNG")


def test_bounds_outside_of_what_a_share_can_be_do_not_stretch_the_axis() -> None:
    inside = {"a": {10: Metric(0.5, 0.0, 1.0), 20: Metric(0.5, 0.0, 1.0)}}
    outside = {"a": {10: Metric(0.5, -3.0, 4.0), 20: Metric(0.5, -3.0, 4.0)}}
    assert learning_curve_plot(inside, title="") == learning_curve_plot(outside, title="")


def test_the_terminal_names_counts_and_lines() -> None:
    said = learning_curve_picture(curves(), width=72).plain
    assert "labels per class" in said
    assert "10" in said.splitlines()[-2]
    assert "100" in said.splitlines()[-2]
    assert "finetuned 80" in said
    assert "from scratch 40" in said
