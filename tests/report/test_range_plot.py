"""The picture of a range test."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from dlcli.report import figure
from dlcli.report.range_plot import range_picture, range_plot

RATES = [1e-7 * 10**place for place in range(8)]
LOSSES = [2.3, 2.3, 2.2, 2.0, 1.2, 0.4, 3.0, 900.0]
MARKS = {"steepest": 1e-3, "configured": 0.1}


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, "_DPI", 30)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_the_same_test_gives_the_same_bytes() -> None:
    assert range_plot(RATES, LOSSES, LOSSES, MARKS) == range_plot(RATES, LOSSES, LOSSES, MARKS)


def test_marks_are_drawn() -> None:
    assert len(np.unique(pixels(range_plot(RATES, LOSSES, LOSSES, {})).reshape(-1, 3), axis=0)) < len(
        np.unique(pixels(range_plot(RATES, LOSSES, LOSSES, MARKS)).reshape(-1, 3), axis=0)
    )


def test_a_loss_that_explodes_does_not_flatten_the_fall_before_it() -> None:
    calm = [*LOSSES[:-1], 3.0]
    assert (
        range_picture(RATES, LOSSES, LOSSES, width=60).plain.split("\n")[:9]
        == (range_picture(RATES, calm, calm, width=60).plain.split("\n")[:9])
    )


def test_the_terminal_picture_spans_the_decades() -> None:
    text = range_picture(RATES, LOSSES, LOSSES, width=60).plain
    assert "log10 of the learning rate" in text
    axis = next(line for line in text.split("\n") if "log10" in line).split()
    assert (axis[0], axis[-1]) == ("-7", "0")


@pytest.mark.parametrize("losses", [[], [math.nan], [1.0]])
def test_a_test_that_broke_at_once_is_still_a_picture(losses: list[float]) -> None:
    rates = RATES[: len(losses)]
    assert range_plot(rates, losses, losses, MARKS).startswith(b"\x89PNG")
    assert range_picture(rates, losses, losses, width=40).plain


def test_a_configured_rate_of_zero_has_no_place_on_a_logarithmic_axis() -> None:
    assert range_plot(RATES, LOSSES, LOSSES, {"configured": 0.0}) == range_plot(RATES, LOSSES, LOSSES, {})
