"""What a watched fit saw, in pictures and words."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlcli.report import figure
from dlcli.report.watch_plot import measured, watch_picture, watch_plot, watch_words

LAYERS = ("net.hidden.0", "net.hidden.1", "net.head")


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, "_DPI", 30)


def line(step: int, name: str, value: float | None) -> dict[str, Any]:
    return {"step": step, "epoch": 0, "split": "train", "name": name, "value": value}


def gradients(*norms: float | None, steps: int = 3) -> list[dict[str, Any]]:
    return [
        line(step, f"watch/grad_norm/{layer}", norm)
        for step in range(10, 10 * steps + 1, 10)
        for layer, norm in zip(LAYERS, norms, strict=True)
    ]


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_measurements_are_read_by_layer_and_step_in_the_models_order() -> None:
    lines = [line(10, "loss", 2.0), *gradients(1e-6, None, 1.0, steps=2), line(10, "watch/dead/net.relu", 0.5)]
    found = measured(lines, "grad_norm")
    assert list(found) == list(LAYERS)
    assert found["net.head"] == {10: 1.0, 20: 1.0}
    assert math.isnan(found["net.hidden.1"][10])
    assert measured(lines, "dead") == {"net.relu": {10: 0.5}}


def test_a_layer_may_have_a_slash_in_its_name() -> None:
    assert list(measured([line(1, "watch/grad_norm/net.a/b", 1.0)], "grad_norm")) == ["net.a/b"]


def test_gradients_that_vanish_are_called_so_with_a_cure() -> None:
    (said,) = watch_words(gradients(1e-6, 1e-3, 1.0))
    assert said.startswith("the gradient of hidden.0 is 1e-06 times that of head (geometric mean of 3 steps): it vanishes")
    assert "ReLU" in said


def test_gradients_that_explode_are_called_so_with_a_cure() -> None:
    (said,) = watch_words(gradients(1e6, 1e3, 1.0))
    assert "it explodes" in said
    assert "trainer.clip_norm=1" in said


def test_gradients_that_arrive_need_no_cure() -> None:
    assert watch_words(gradients(0.4, 1.0, 1.0)) == [
        "the gradient of hidden.0 is 0.4 times that of head (geometric mean of 3 steps): it reaches the first layer"
    ]


@pytest.mark.parametrize("norm", [0.0, None])
def test_no_gradient_at_all_is_said(norm: float | None) -> None:
    assert watch_words(gradients(norm, 0.1, 1.0)) == [
        "no gradient reaches hidden.0: it is zero or not finite at every watched step"
    ]


def test_idle_units_are_named_where_they_are_most_with_a_cure_where_they_are_many() -> None:
    few = [line(1, "watch/dead/net.a", 0.9), line(9, "watch/dead/net.a", 0.1), line(9, "watch/dead/net.b", 0.2)]
    assert watch_words(few) == ["at most 20 % of a layer's units are dead for the whole batch (b)"]
    many = [line(9, "watch/saturated/net.a", 0.75)]
    assert watch_words(many)[0].startswith("at most 75 % of a layer's values are saturated (a); ReLU")
    assert watch_words([line(9, "watch/dead/net.a", 0.0)]) == ["no unit is dead"]


def test_nothing_watched_is_nothing_said() -> None:
    assert watch_words([line(1, "loss", 1.0)]) == []


def test_the_same_lines_give_the_same_bytes() -> None:
    lines = gradients(1e-6, 1e-3, 1.0)
    assert watch_plot(lines) == watch_plot(lines)


def test_there_is_a_panel_for_each_kind_of_measurement() -> None:
    lines = gradients(1e-6, 1e-3, 1.0)
    one = pixels(watch_plot(lines))
    two = pixels(watch_plot([*lines, line(10, "watch/dead/net.relu", 0.5)]))
    assert two.shape[0] > 1.3 * one.shape[0]


def test_a_small_gradient_is_dark_and_a_large_one_bright() -> None:
    drawn = pixels(watch_plot(gradients(1e-6, 1e-3, 1.0)))
    middle = drawn[:, drawn.shape[1] // 2].sum(axis=1)
    inside = middle[(middle > 100) & (middle < 700)]
    assert inside[0] < inside[-1]


@pytest.mark.parametrize("norms", [(0.0, 0.0, 0.0), (None, None, None), (None, 0.0, 1.0)])
def test_what_has_no_logarithm_is_drawn_grey_and_does_not_fail(norms: tuple[float | None, ...]) -> None:
    drawn = pixels(watch_plot(gradients(*norms))).reshape(-1, 3)
    assert (drawn == 0xBB).all(axis=1).any()


def test_many_layers_are_drawn_without_names() -> None:
    lines = [line(1, f"watch/grad_norm/net.{number}", 1.0) for number in range(200)]
    assert watch_plot(lines).startswith(b"\x89PNG")


def test_bars_are_logarithmic() -> None:
    first, second, last = watch_picture(gradients(1e-6, 1e-3, 1.0), width=70).plain.split("\n")[1:]
    lengths = [row.count("█") for row in (first, second, last)]
    assert lengths[0] == 0
    assert lengths[2] == pytest.approx(2 * lengths[1], abs=1)
    assert last.endswith("1.0e+00")


def test_a_picture_stays_within_its_width_and_rows() -> None:
    lines = [line(1, f"watch/grad_norm/net.{'x' * number}", 10.0**-number) for number in range(1, 60)]
    rows = watch_picture(lines, width=64, rows=10).plain.split("\n")
    assert len(rows) == 11
    assert max(map(len, rows)) <= 64
    assert rows[1].split()[0] == "x"


def test_a_picture_of_nothing_says_so() -> None:
    assert "no finite gradient" in watch_picture(gradients(0.0, None, 0.0), width=60).plain
