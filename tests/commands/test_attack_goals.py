"""What attacked examples are to be taken for."""

from __future__ import annotations

import pytest
import torch

from dlcli.attacks.fgsm import FGSM
from dlcli.attacks.noise import Noise
from dlcli.commands.attack_goals import Goal, read_goal
from dlcli.errors import UsageError
from dlcli.randomness import SampleKeys

CLASSES = ("cat", "Dog", "2", "fish")
PGD = FGSM(epsilon=0.1)


@pytest.mark.parametrize(("text", "number"), [("cat", 0), ("dog", 1), ("1", 1), ("3", 3)])
def test_a_class_is_named_in_any_case_or_by_its_number(text: str, number: int) -> None:
    assert read_goal(text, CLASSES, PGD) == Goal(CLASSES[number], number)


def test_a_name_goes_before_a_number() -> None:
    assert read_goal("2", ("0", "2", "1"), PGD) == Goal("2", 1)


def test_without_a_word_there_is_no_goal() -> None:
    assert read_goal(None, CLASSES, PGD) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [("fsh", "did you mean 'fish'"), ("4", "no such class"), ("-1", "no such class"), ("least-likly", "'least-likely'")],
)
def test_a_class_that_is_not_there_is_refused_with_what_is_near(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"--targeted {text}: .*{words}") as caught:
        read_goal(text, CLASSES, PGD)
    assert "from 0 to 3" in str(caught.value.hint)


def test_an_attack_that_cannot_aim_says_so() -> None:
    with pytest.raises(UsageError, match="noise aims at no class"):
        read_goal("cat", CLASSES, Noise(epsilon=0.1))


def test_a_class_is_the_goal_of_every_example() -> None:
    goal, targets = Goal("fish", 3), torch.tensor([0, 3])
    assert goal(torch.zeros(2, 4), targets, SampleKeys(0, torch.arange(2))).tolist() == [3, 3]


def test_random_goals_are_any_class_but_the_true_one_and_belong_to_the_example() -> None:
    goal = read_goal("random", CLASSES, PGD)
    assert goal is not None
    targets, keys = torch.arange(400) % 4, SampleKeys(5, torch.arange(400))
    drawn = goal(torch.zeros(400, 4), targets, keys)
    counts = torch.stack([targets, drawn]).T.unique(dim=0, return_counts=True)
    assert len(counts[0]) == 12
    assert (drawn != targets).all()
    assert counts[1].min() > 15  # 33 are expected of each pair
    rows = torch.tensor([399, 7])
    assert goal(torch.zeros(2, 4), targets[rows], keys.take(rows)).equal(drawn[rows])
    assert not goal(torch.zeros(400, 4), targets, SampleKeys(6, torch.arange(400))).equal(drawn)


def test_the_least_likely_class_has_the_smallest_logit_and_is_never_the_true_one() -> None:
    goal = read_goal("least-likely", CLASSES, PGD)
    assert goal is not None
    logits = torch.tensor([[3.0, 1.0, -2.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, -1.0]])
    assert goal(logits, torch.tensor([0, 0, 3]), SampleKeys(0, torch.arange(3))).tolist() == [2, 1, 0]
