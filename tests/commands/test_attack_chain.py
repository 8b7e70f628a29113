"""The chain of attacks: who is tried on whom, and what is left standing."""

from __future__ import annotations

import pytest
import torch

from dlcli.commands.attack_chain import CURVE, NOISE, Effort, Examined, Link, run_chain
from dlcli.contracts import DataSpec
from dlcli.engine.outcomes import Clean, Outcomes

SPEC = DataSpec(name="toy", shape=(1, 2, 2), classes=("a", "b"), mean=(0.5,), std=(0.5,), epsilon={"linf": 0.3})
EFFORT = Effort(epsilon=0.3, norm="linf", steps=5, targets=9, queries=50, reach=2.0, rungs=6)


class Half:
    """Five examples, and nothing else of a subject."""

    split = range(5)


def clean() -> Clean:
    """Five examples of class 0; the last is taken for class 1."""
    return Clean(torch.zeros(5, dtype=torch.int64), torch.tensor([0, 0, 0, 0, 1]), "digest")


def outcome(rows: list[int], fooled: list[int], size: float = 0.2) -> Outcomes:
    predicted = torch.tensor([1 if row in fooled else 0 for row in rows], dtype=torch.int64)
    sizes = torch.full((len(rows),), size)
    return Outcomes(rows=torch.tensor(rows), predicted=predicted, distances=sizes, forwards=1, backwards=1, seconds=0.1)


def chain_of(fools: dict[str, list[int]], rows: list[int]) -> tuple[Examined, dict[str, list[int]]]:
    tried: dict[str, list[int]] = {}

    def attempt(link: Link, chosen: torch.Tensor) -> Outcomes:
        tried[link.name] = chosen.tolist()
        return outcome(chosen.tolist(), fools.get(link.name, []))

    links = EFFORT.chain(2)
    return run_chain(Half(), links, clean(), torch.tensor(rows), epsilon=0.3, attempt=attempt), tried  # type: ignore[arg-type]


def test_cheap_attacks_meet_all_right_examples_and_strong_ones_those_that_still_stand():
    _, tried = chain_of({"fgsm": [0], "pgd": [1], "apgd_t": [2]}, [0, 1, 2, 3, 4])
    assert tried["noise"] == [0, 1, 2, 3, 4]
    assert tried["fgsm"] == tried["pgd"] == tried["apgd_ce"] == [0, 1, 2, 3]
    assert tried["apgd_t"] == [2, 3]
    assert tried["fab_t"] == tried["square"] == [3]


def test_the_worst_case_holds_everything_that_any_attack_broke():
    examined, _ = chain_of({"fgsm": [0], "pgd": [1], "square": [3]}, [0, 1, 2, 3, 4])
    assert examined.standing().tolist() == [False, False, True, False, False]
    assert examined.standing(before="square").tolist() == [False, False, True, True, False]


def test_examples_that_were_left_out_do_not_stand_and_do_not_count():
    examined, _ = chain_of({"fgsm": [0]}, [3, 0])
    assert examined.right.tolist() == [True, False, False, True, False]
    assert examined.standing().tolist() == [False, False, False, True, False]
    assert examined.distances().isnan().tolist() == [False, True, True, False, True]


def test_a_change_larger_than_epsilon_breaks_nothing_at_epsilon():
    found = {"fab_t": outcome([0, 1, 2, 3], [0, 1], size=0.5)}
    examined = Examined(clean=clean(), epsilon=0.3, examined=torch.arange(5), found=found)
    assert examined.standing().tolist() == [True, True, True, True, False]
    assert examined.distances()[0] == 0.5
    assert examined.nearest(0) is None
    assert examined.attacked_classes().tolist() == [0, 0, 0, 0, 1]


def test_under_attack_an_example_is_what_the_first_attack_made_of_it():
    examined, _ = chain_of({"fgsm": [0], "square": [2]}, [0, 1, 2, 3, 4])
    assert examined.attacked_classes().tolist() == [1, 0, 1, 0, 1]


def test_the_nearest_attack_is_the_one_with_the_smallest_change():
    found = {"fgsm": outcome([0, 1], [0], size=0.3), "pgd": outcome([0, 1], [0, 1], size=0.1)}
    examined = Examined(clean=clean(), epsilon=0.3, examined=torch.arange(5), found=found)
    assert examined.nearest(0) == examined.nearest(1) == "pgd"
    assert examined.nearest(2) is None


@pytest.mark.parametrize(("norm", "end"), [("linf", 1.0), ("l2", 2.4)])
def test_the_radii_rise_through_epsilon_and_stay_inside_the_box(norm, end):
    effort = Effort(epsilon=0.6, norm=norm, steps=5, targets=9, queries=50, reach=4.0, rungs=6)
    assert list(effort.radii) == sorted(effort.radii)
    assert len(effort.radii) == 6
    assert effort.radii[2] == pytest.approx(0.6)
    assert effort.radii[-1] == pytest.approx(end)


def test_with_no_reach_all_radii_are_within_epsilon():
    effort = Effort(epsilon=1.0, norm="linf", steps=5, targets=9, queries=50, reach=2.0, rungs=4)
    assert effort.radii[-1] == 1.0
    assert len(effort.radii) == 4


def test_the_chain_begins_with_noise_and_ends_with_the_black_box():
    names = [link.name for link in EFFORT.chain(10)]
    assert names[0] == NOISE
    assert names[-1] == "square"
    assert CURVE not in names
    assert EFFORT.curve_link(steps=3).attack.threat.epsilon == EFFORT.radii[-1]
