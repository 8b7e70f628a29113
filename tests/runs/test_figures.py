"""What the names of figures mean."""

import pytest

from dlcli.runs.figures import is_whole, lower_is_better, main_name, shown, shown_interval


@pytest.mark.parametrize(
    "name",
    [
        "test/nll",
        "test/brier",
        "val/loss",
        "test/ece_if_calibrated",
        "test/calibrated/adaptive_ece",
        "fairness/dp_difference",
        "fairness/Gender/auroc_gap",
        "attack/success_rate",
        "explain/empty_maps",
    ],
)
def test_losses_errors_and_gaps_are_better_low(name):
    assert lower_is_better(name)


@pytest.mark.parametrize(
    "name", ["test/accuracy", "test/auroc", "test/macro_f1", "attack/robust_accuracy", "test/recall/3", "explain/insertion_auc"]
)
def test_accuracy_and_its_kin_are_better_high(name):
    assert not lower_is_better(name)


def test_test_figures_speak_before_val_and_train():
    assert main_name(["train/accuracy", "val/accuracy", "test/accuracy"]) == "test/accuracy"
    assert main_name(["val/accuracy", "test/nll"]) == "val/accuracy"
    assert main_name(["other"]) is None


def test_a_class_figure_is_not_of_the_whole():
    assert (is_whole("test/recall/3"), is_whole("test/recall")) == (False, True)


def test_shares_are_shown_in_percent_and_other_numbers_as_they_are():
    entry = {"value": 0.9946, "low": 0.993, "high": 0.9959}
    assert shown_interval("test/accuracy", entry) == "99.46 % [99.30, 99.59]"
    assert shown_interval("test/nll", {"value": 0.12345, "low": None, "high": None}) == "0.1235"
    assert shown("test/accuracy", -0.012, signed=True) == "-1.20 points"
    assert [shown("test/nll", value) for value in (None, True, "x")] == ["–"] * 3
