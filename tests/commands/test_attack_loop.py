"""Where an attack's epsilon comes from, and what it is compared with."""

import pytest
import torch

from dlcli.attacks.fab_t import FABT
from dlcli.attacks.fgsm import FGSM
from dlcli.attacks.noise import Noise
from dlcli.attacks.spatial import RandomMove, Spatial
from dlcli.commands.attack_loop import build_attack, cost_of, null_of
from dlcli.contracts import DataSpec
from dlcli.engine.perturb import AttackReport
from dlcli.errors import ConfigError, UsageError

SPEC = DataSpec(name="toy", shape=(1, 2, 2), classes=("a", "b"), mean=(0.5,), std=(0.5,), epsilon={"linf": 0.25})
NODE = {"_target_": "dlcli.attacks.fgsm.FGSM", "epsilon": "auto", "norm": "linf"}


def report(attacked: list[int], distances: list[float]) -> AttackReport:
    """Examples of class 0 that are right before the attack."""
    inputs, targets = torch.zeros(len(attacked), 1, 2, 2), torch.zeros(len(attacked), dtype=torch.long)
    found = (torch.tensor(attacked), torch.tensor(distances), torch.arange(len(attacked)))
    return AttackReport(inputs, inputs, targets, targets, *found, forwards=0, backwards=0)


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


def test_the_null_is_noise_of_the_same_size() -> None:
    assert null_of(FGSM(epsilon=0.2, norm="l2"), report([1], [0.1])) == Noise(epsilon=0.2, norm="l2")


def test_a_turn_and_a_shift_are_compared_with_a_random_one() -> None:
    spatial = Spatial(rotation=20.0, translation=0.2)
    assert null_of(spatial, report([1], [0.1])) == RandomMove(rotation=20.0, translation=0.2)


def test_without_a_radius_the_null_is_as_large_as_half_of_the_successes() -> None:
    found = report([1, 1, 1, 0], [0.25, 0.125, 0.5, 9.0])
    assert null_of(FABT(norm="l2"), found) == Noise(epsilon=0.25, norm="l2")
    assert null_of(FABT(), report([0], [0.0])) == Noise(epsilon=0.0)


def test_a_cost_grows_with_the_examples() -> None:
    seconds, words = cost_of(30.0, 100, 10_000)
    assert seconds == 3000
    assert words == "estimated cost: about 50 min (the first 100 of 10 000 examples took 30 s)"
