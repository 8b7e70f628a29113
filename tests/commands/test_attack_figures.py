"""The figures of an attack."""

import pytest
import torch

from dlcli.commands.attack_figures import Attacked, attack_metrics, labels, norms
from dlcli.engine.perturb import AttackReport


def report(clean: list[int], attacked: list[int], *, goals: list[int] | None = None) -> AttackReport:
    """Four examples of class 0, whose first two numbers were changed by 0.3 and 0.4 times 1, 2, 3 and 4."""
    inputs = torch.zeros(4, 1, 2, 2)
    moved = torch.zeros(4, 4)
    moved[:, :2] = torch.arange(1, 5)[:, None] * torch.tensor([0.03, 0.04])
    distances = torch.tensor([0.1, 0.2, 0.3, 0.4])
    tensors = (torch.zeros(4, dtype=torch.long), torch.tensor(clean), torch.tensor(attacked), distances, torch.arange(4))
    aims = None if goals is None else torch.tensor(goals)
    return AttackReport(inputs, moved.reshape(4, 1, 2, 2), *tensors, forwards=8, backwards=4, goals=aims)


NOISE = report([0, 0, 0, 1], [0, 0, 0, 1])


def test_robust_accuracy_counts_what_was_right_and_stayed_right() -> None:
    metrics = attack_metrics(Attacked(report([0, 0, 0, 1], [0, 1, 1, 1]), NOISE))
    assert metrics["attack/clean_accuracy"].value == 3 / 4
    assert metrics["attack/robust_accuracy"].value == 1 / 4
    assert metrics["attack/noise_accuracy"].value == 3 / 4


def test_success_is_counted_among_the_correctly_classified_only() -> None:
    metrics = attack_metrics(Attacked(report([0, 0, 0, 1], [0, 1, 1, 1]), NOISE))
    assert metrics["attack/success_rate"].value == pytest.approx(2 / 3)
    assert metrics["attack/success_rate"].n == 3
    assert metrics["attack/mean_distance"].value == pytest.approx(0.25)


def test_with_goals_success_is_to_be_taken_for_them_and_accuracy_stays_accuracy() -> None:
    # The first is of the goal's class, the second wrong but elsewhere, the third at its goal, the fourth was wrong before.
    targeted = report([0, 0, 0, 2], [0, 1, 2, 2], goals=[0, 2, 2, 2])
    metrics = attack_metrics(Attacked(targeted, NOISE))
    assert (metrics["attack/success_rate"].value, metrics["attack/success_rate"].n) == (1 / 2, 2)
    assert metrics["attack/robust_accuracy"].value == 1 / 4


def test_what_rounding_undoes_is_no_success_in_8_bits() -> None:
    attacked = Attacked(report([0, 0, 0, 0], [1, 1, 1, 0]), NOISE, rounded=torch.tensor([1, 0, 0, 0]))
    metrics = attack_metrics(attacked)
    assert metrics["attack/success_rate"].value == 3 / 4
    assert metrics["attack/success_rate_8bit"].value == 1 / 4


def test_sizes_are_those_of_the_successes_in_both_norms() -> None:
    metrics = attack_metrics(Attacked(report([0, 0, 0, 0], [1, 1, 0, 1]), NOISE))
    assert metrics["attack/mean_linf"].value == pytest.approx(0.04 * (1 + 2 + 4) / 3)
    assert metrics["attack/median_l2"].value == pytest.approx(0.05 * 2)
    assert metrics["attack/mean_l2"].n == 3


def test_norms_are_over_all_numbers_of_an_example() -> None:
    found = norms(report([0] * 4, [0] * 4))
    torch.testing.assert_close(found["linf"], 0.04 * torch.arange(1.0, 5))
    torch.testing.assert_close(found["l2"], 0.05 * torch.arange(1.0, 5))


def test_of_an_attack_without_a_radius_errors_further_away_than_the_datas_count_as_robust() -> None:
    # Errors at 0.1, 0.2 and 0.4; the one at 0.3 held.
    attacked = Attacked(report([0, 0, 0, 0], [1, 1, 0, 1]), NOISE)
    for radius, robust in ((0.05, 4), (0.15, 3), (0.25, 2), (0.5, 1), (None, 1)):
        metrics = attack_metrics(attacked, radius=radius)
        assert metrics["attack/robust_accuracy"].value == robust / 4
        assert metrics["attack/success_rate"].value == 3 / 4
        assert (metrics["attack/epsilon"].value if radius else metrics.get("attack/epsilon")) == radius


def test_without_a_right_prediction_there_is_no_success_rate() -> None:
    metrics = attack_metrics(Attacked(report([1, 1, 1, 1], [1, 1, 1, 1]), report([1, 1, 1, 1], [1, 1, 1, 1])))
    assert "attack/success_rate" not in metrics
    assert metrics["attack/robust_accuracy"].value == 0


def test_without_labels_there_is_no_accuracy() -> None:
    assert "attack/robust_accuracy" not in attack_metrics(Attacked(report([0] * 4, [1] * 4), NOISE), labelled=False)


def test_the_words_name_the_goal() -> None:
    assert labels("7")["attack/success_rate"] == "taken for 7, of the other correctly classified"
    assert "correctly classified" in labels()["attack/success_rate"]
    assert labels(labelled=False)["attack/success_rate"] == "predictions that the attack changed"
    assert labels("7", labelled=False)["attack/success_rate"] == "taken for 7, of the others"
    assert labels(norm="spatial")["attack/noise_accuracy"] == "accuracy under one random move"


def test_the_words_name_the_radius_of_an_attack_that_has_none_and_its_mean_distance() -> None:
    words = labels(norm="l2", radius=2.0)
    assert words["attack/robust_accuracy"] == "robust accuracy within 2 (l2)"
    assert words["attack/success_rate"] == "success among the correctly classified, at any distance"
    assert words["attack/mean_distance"] == "distance (l2), mean of successes"
    assert "attack/mean_distance" not in labels(norm="l2")
