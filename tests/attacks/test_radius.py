"""The radius that training is done at."""

from __future__ import annotations

from typing import Any

import pytest

from dlcli.attacks.radius import Radius, check_guard


def radius(**changes: Any) -> Radius:
    values: dict[str, Any] = {"epsilon": 0.3, "norm": "linf", "steps": 4, "reach": 2.0, "warmup": 0.0, "total_steps": 10}
    return Radius(**{**values, **changes})


def test_without_a_warm_up_the_radius_is_full_from_the_first_step_on() -> None:
    assert [radius().at(step) for step in range(3)] == [0.3, 0.3, 0.3]


def test_a_warm_up_rises_in_a_straight_line_and_then_stays() -> None:
    own = radius(warmup=0.4)
    assert [own.at(step) for step in range(7)] == pytest.approx([0.06, 0.12, 0.18, 0.24, 0.3, 0.3, 0.3])


def test_the_steps_together_reach_so_many_radii_also_while_it_rises() -> None:
    own = radius(warmup=0.4)
    for step in (0, 3, 9):
        assert 4 * own.step_size(step) == pytest.approx(2.0 * own.at(step))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilon": -0.1}, "^epsilon must be finite and at least 0, got -0.1"),
        ({"epsilon": 8.0}, "^epsilon must be in .0, 1. for linf, as images are, got 8; did you mean 8/255"),
        ({"norm": "l1"}, "^norm must be 'linf' or 'l2', got 'l1'"),
        ({"steps": 0}, "^steps must be at least 1, got 0"),
        ({"reach": 0.0}, "^reach must be finite and above 0, got 0.0"),
        ({"warmup": 1.5}, r"^warmup must be in \[0, 1\], got 1.5"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        radius(**changes)


@pytest.mark.parametrize("guard", [0.0, 1.0, -0.2])
def test_a_guard_is_a_share_of_the_examples(guard: float) -> None:
    check_guard(0.2)
    check_guard(None)
    with pytest.raises(ValueError, match=r"^guard must be in \(0, 1\), or null"):
        check_guard(guard)
