"""The figures of ``dl attack``, and where its epsilon comes from."""

import pytest
import torch

from dlcli.attacks.fgsm import FGSM
from dlcli.commands.attack import Attacked, attack_metrics, build_attack
from dlcli.contracts import DataSpec
from dlcli.engine.perturb import AttackReport
from dlcli.errors import ConfigError, UsageError

SPEC = DataSpec(name="toy", shape=(1, 2, 2), classes=("a", "b"), mean=(0.5,), std=(0.5,), epsilon={"linf": 0.25})
NODE = {"_target_": "dlcli.attacks.fgsm.FGSM", "epsilon": "auto", "norm": "linf"}


def report(clean: list[int], attacked: list[int]) -> AttackReport:
    """Four examples of class 0."""
    inputs = torch.zeros(4, 1, 2, 2)
    distances = torch.tensor([0.1, 0.2, 0.3, 0.4])
    tensors = (torch.zeros(4, dtype=torch.long), torch.tensor(clean), torch.tensor(attacked), distances, torch.arange(4))
    return AttackReport(inputs, inputs, *tensors, forwards=8, backwards=4)


def test_robust_accuracy_counts_what_was_right_and_stayed_right() -> None:
    metrics = attack_metrics(Attacked(report([0, 0, 0, 1], [0, 1, 1, 1]), report([0, 0, 0, 1], [0, 0, 0, 1])))
    assert metrics["attack/clean_accuracy"].value == 3 / 4
    assert metrics["attack/robust_accuracy"].value == 1 / 4
    assert metrics["attack/noise_accuracy"].value == 3 / 4


def test_success_is_counted_among_the_correctly_classified_only() -> None:
    metrics = attack_metrics(Attacked(report([0, 0, 0, 1], [0, 1, 1, 1]), report([0, 0, 0, 1], [0, 0, 0, 1])))
    assert metrics["attack/success_rate"].value == pytest.approx(2 / 3)
    assert metrics["attack/success_rate"].n == 3
    assert metrics["attack/mean_distance"].value == pytest.approx(0.25)


def test_without_a_right_prediction_there_is_no_success_rate() -> None:
    metrics = attack_metrics(Attacked(report([1, 1, 1, 1], [1, 1, 1, 1]), report([1, 1, 1, 1], [1, 1, 1, 1])))
    assert "attack/success_rate" not in metrics
    assert metrics["attack/robust_accuracy"].value == 0


def test_an_automatic_epsilon_is_the_datas_own_and_says_so() -> None:
    built, reason = build_attack(NODE, SPEC)
    assert built == FGSM(epsilon=0.25)
    assert "toy" in reason


def test_a_norm_without_a_default_asks_for_a_number() -> None:
    with pytest.raises(UsageError, match="no default epsilon for norm l2"):
        build_attack({**NODE, "norm": "l2"}, SPEC)


def test_a_fraction_is_a_number() -> None:
    built, _ = build_attack({**NODE, "epsilon": "8/255"}, SPEC)
    assert built.threat.epsilon == 8 / 255


def test_an_epsilon_in_0_to_255_units_is_refused_with_the_number_meant() -> None:
    with pytest.raises(ConfigError, match="8/255"):
        build_attack({**NODE, "epsilon": 8}, SPEC)
