"""Both bounds of a smoothed classifier, from examples whose radii are known."""

from __future__ import annotations

import io
import math

import pytest
import torch
from PIL import Image

from dlcli.commands.attack_certified import (
    Certified,
    certified_csv,
    certified_metrics,
    certified_plot,
    certified_table,
    certified_words,
)
from dlcli.contracts import Metric


def found(falls: tuple[float, ...] = (0.6, math.inf, 0.0, math.inf)) -> Certified:
    """One that is certified to 0.3 and falls at 0.6, one certified to 0.1, one that is wrong, and one that abstains."""
    return Certified(
        rows=torch.tensor([4, 2, 7, 9]),
        targets=torch.tensor([0, 1, 0, 1]),
        classes=torch.tensor([0, 1, 1, -1]),
        radii=torch.tensor([0.3, 0.1, 0.2, -math.inf], dtype=torch.float64),
        falls=torch.tensor(falls, dtype=torch.float64),
        sigma=0.25,
        draws=1000,
    )


def test_the_bounds_count_what_is_proven_and_what_nobody_broke():
    metrics = certified_metrics(found())
    assert [metrics[f"attack/smoothed/{radius}/certified_accuracy"].value for radius in ("0", "0.125", "0.5")] == [0.5, 0.25, 0.0]
    assert [metrics[f"attack/smoothed/{radius}/robust_accuracy"].value for radius in ("0", "0.5", "0.75")] == [0.75, 0.75, 0.5]
    assert metrics["attack/smoothed/abstained"].value == 0.25
    assert metrics["attack/smoothed/contradicted"].value == 0


def test_the_lower_bound_is_never_above_the_upper():
    upper = found().upper()
    assert all(found().lower(radius).value <= metric.value for radius, metric in upper.items())


def test_a_change_inside_a_certified_radius_is_counted():
    assert found((0.29, math.inf, 0.0, math.inf)).contradicted == 1
    assert found((0.30, math.inf, 0.0, math.inf)).contradicted == 0


def test_table_words_and_file_say_the_same():
    table = certified_table(found())
    assert table.rows[0][0] == "0"
    assert table.rows[0][1].startswith("50.00 %")
    assert table.rows[0][2].startswith("75.00 %")
    assert "abstains on 1 of 4" in certified_words(found())
    assert certified_csv(found(), ("cat", "dog")).decode().splitlines()[1:] == [
        "4,cat,cat,0.3,0.6", "2,dog,dog,0.1,inf", "7,cat,dog,0.2,0", "9,dog,,,inf",
    ]  # fmt: skip


@pytest.mark.parametrize("plain", [None, {0.0: Metric(1.0), 1.0: Metric(0.2), 9.0: Metric(0.0)}])
def test_both_bounds_are_drawn(plain):
    picture = Image.open(io.BytesIO(certified_plot(found(), plain=plain))).convert("RGB")
    colors = [color for _, color in picture.getcolors(1 << 24)]
    assert {(0, 114, 178), (213, 94, 0)} <= set(colors)
    assert ((0, 158, 115) in colors) == (plain is not None)
