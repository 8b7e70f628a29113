"""How long a comparison takes: arithmetic from what one example costs."""

from __future__ import annotations

import pytest

from dlcli.commands.comparison import MIN_STEPS, Comparison
from dlcli.commands.comparison_estimate import comparison_estimate, seconds_of, spoken
from dlcli.commands.curve_record import Cell
from dlcli.engine.cost import Cost

COST = Cost(train=0.03, infer=0.01)


def test_a_fit_passes_its_examples_in_every_epoch_and_the_test_once(comparison: Comparison) -> None:
    features, training = seconds_of(comparison, [Cell(labels=2, seed=0, arm="from_scratch")], COST)
    # One label of each class to train on and one to choose by: one step an epoch.
    assert training == pytest.approx(MIN_STEPS * (10 * 0.03 + 10 * 0.01) + 60 * 0.01)
    assert features == 0


def test_features_are_counted_once_for_a_seed_and_probes_cost_nothing_more(comparison: Comparison) -> None:
    cells = [Cell(labels=labels, seed=seed, arm="linear_probe") for labels in (2, 3) for seed in (0, 1)]
    features, training = seconds_of(comparison, cells, COST)
    assert features == pytest.approx((2 * 3 * 10 + 60) * 0.01)
    assert training == 0


def test_it_is_said_in_words(comparison: Comparison) -> None:
    assert comparison_estimate(comparison, comparison.cells()).startswith("estimate: about ")


@pytest.mark.parametrize(("seconds", "words"), [(45.4, "45 s"), (720, "12 min"), (12_240, "3.4 h")])
def test_times_have_the_unit_that_people_would_use(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
