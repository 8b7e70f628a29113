import math

import torch

from dlcli.contracts import Predictions
from dlcli.metrics.group_figures import group_figures, signed_differences


def of_counts(negatives, false_positives, misses, hits):
    said = torch.tensor([-1.0] * negatives + [1.0] * false_positives + [-1.0] * misses + [1.0] * hits)
    targets = torch.tensor([0] * (negatives + false_positives) + [1] * (misses + hits))
    return Predictions(said[:, None], targets, torch.arange(len(targets)))


def everyone(predictions):
    return torch.ones(len(predictions.targets), dtype=torch.bool)


def test_the_figures_of_a_group_are_those_of_its_counts():
    predictions = of_counts(60, 20, 5, 15)
    group = group_figures(predictions, everyone(predictions), "x")
    expected = {"base_rate": 0.2, "selection_rate": 0.35, "tpr": 0.75, "fpr": 0.25, "accuracy": 0.75}
    assert {name: group.metrics[name].value for name in expected} == expected
    assert (group.n, group.positives, group.lacking) == (100, 20, "")
    assert (group.metrics["tpr"].n, group.metrics["fpr"].n) == (20, 80)


def test_what_a_group_lacks_is_said():
    def lacking(*counts):
        predictions = of_counts(*counts)
        return group_figures(predictions, everyone(predictions), "x").lacking

    assert lacking(1, 0, 0, 0) == "1 of 30 examples"
    assert lacking(30, 10, 4, 5) == "9 of 10 positives"
    assert lacking(3, 4, 20, 20) == "7 of 10 negatives"
    assert lacking(20, 0, 5, 5) == ""


def test_a_group_without_positives_has_no_tpr_and_no_area():
    predictions = of_counts(30, 10, 0, 0)
    group = group_figures(predictions, everyone(predictions), "x")
    assert math.isnan(group.metrics["tpr"].value)
    assert math.isnan(group.metrics["auroc"].value)
    assert group.metrics["fpr"].value == 0.25


def test_of_more_than_two_classes_a_group_has_accuracy_balance_and_calibration():
    torch.manual_seed(0)
    predictions = Predictions(torch.randn(90, 3), torch.arange(90) % 3, torch.arange(90))
    group = group_figures(predictions, everyone(predictions), "x")
    assert set(group.metrics) == {"accuracy", "balanced_accuracy", "calibration_gap"}
    assert group.positives is None


def test_signed_differences_change_their_sign_with_the_order():
    one, other = (group_figures(each, everyone(each), "x") for each in (of_counts(60, 20, 5, 15), of_counts(70, 10, 8, 12)))
    there, back = signed_differences(one, other, ["fpr"])["fpr"], signed_differences(other, one, ["fpr"])["fpr"]
    assert there.value == 0.125
    assert (there.low, there.high) == (-back.high, -back.low)


def test_the_calibration_gap_has_no_interval_where_nothing_varied():
    predictions = of_counts(30, 10, 0, 0)
    gap = group_figures(predictions, everyone(predictions), "x").metrics["calibration_gap"]
    assert gap.value > 0
    assert gap.low is None
    mixed = of_counts(30, 10, 5, 5)
    assert group_figures(mixed, everyone(mixed), "x").metrics["calibration_gap"].low is not None
