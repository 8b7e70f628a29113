"""The optimizer study: counts that follow from the landscape, starts that all optimizers share."""

from __future__ import annotations

import pytest

from dlcli.commands.optimizer_study import OptimizerStudy


def test_a_step_too_small_to_go_anywhere_leaves_every_walk_stuck():
    outcome = OptimizerStudy(function="rosenbrock", starts=6, steps=3, learning_rates=(1e-9,))(seed=0)
    assert {name: metric.value for name, metric in outcome.metrics.items() if name.count("/") == 2} == {
        "study/stuck/sgd": 1.0,
        "study/stuck/momentum": 1.0,
        "study/stuck/adam": 1.0,
    }
    assert outcome.metrics["study/stuck/sgd"].n == 6


def test_gentle_descent_ends_in_the_basin_in_which_it_started():
    # A basin of Styblinski and Tang's function is a quadrant around its ridge lines, which lie at 0.1567.
    outcome = OptimizerStudy(starts=200, steps=500, learning_rates=(0.003,))(seed=0)
    lowest = (5 + 0.1567) ** 2 / 100  # the share of the square that flows to the lowest minimum
    assert outcome.metrics["study/stuck/sgd"].value == pytest.approx(1 - lowest, abs=0.1)


def test_the_headline_is_the_best_rate_and_the_table_has_them_all():
    outcome = OptimizerStudy(starts=10, steps=200, learning_rates=(1e-9, 0.01))(seed=1)
    for name in ("sgd", "momentum", "adam"):
        shares = [outcome.metrics[f"study/stuck/{name}/{rate}"].value for rate in ("1e-09", "0.01")]
        assert outcome.metrics[f"study/stuck/{name}"].value == min(shares)
    assert outcome.rows[0] == ["optimizer", "lr 1e-09", "lr 0.01"]
    assert outcome.pictures["walks"].startswith(b"\x89PNG")


def test_the_seed_decides_the_starts_and_noise_changes_the_walks():
    study = OptimizerStudy(starts=4, steps=5, learning_rates=(0.01,))
    assert study(seed=0).pictures == study(seed=0).pictures
    assert study(seed=0).pictures != study(seed=1).pictures
    noisy = OptimizerStudy(starts=4, steps=5, learning_rates=(0.01,), noise=20.0)
    assert noisy(seed=0).pictures != study(seed=0).pictures


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"starts": 0}, "starts must be at least 1, got 0"),
        ({"learning_rates": ()}, "learning_rates must be positive numbers"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), got 1.0"),
        ({"noise": -1.0}, "noise must be at least 0, got -1.0"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        OptimizerStudy(**values)
