"""What an attack says that it will do."""

from __future__ import annotations

import pytest
import torch

from dlcli.attacks.deepfool import DeepFool
from dlcli.attacks.pgd import PGD
from dlcli.commands.attack_goals import Goal
from dlcli.commands.attack_plan import Plan
from dlcli.commands.console import Talk
from dlcli.commands.models import load_model
from dlcli.commands.subject import Subject
from dlcli.contracts import Attack
from dlcli.data.memory import MemorySplit


def plan(chosen: Attack, goal: Goal | None = None) -> Plan:
    loaded = load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=Talk(quiet=True))
    split = MemorySplit(torch.zeros(1, 1, 28, 28), torch.zeros(1, dtype=torch.int64))
    return Plan("typed", Subject(loaded, split, torch.device("cpu")), chosen, "the reason", goal, None, None)


def test_the_headline_has_norm_radius_reason_and_aim() -> None:
    assert plan(PGD(epsilon=0.25)).headline == "typed · linf · epsilon 0.25 (the reason)"
    assert plan(PGD(epsilon=0.25), Goal("3", 3)).headline.endswith("(the reason) · to be taken for 3")
    assert plan(DeepFool()).headline == "typed · l2 · looks for the nearest error, however far"


@pytest.mark.parametrize(("chosen", "radius"), [(PGD(epsilon=0.25), None), (DeepFool(), 2.0)])
def test_only_a_search_without_a_radius_is_judged_by_the_datas_own(chosen: Attack, radius: float | None) -> None:
    assert plan(chosen).radius == radius


def test_without_a_source_or_a_table_the_model_itself_is_asked() -> None:
    own = plan(PGD(epsilon=0.25))
    assert own.model is own.subject.loaded.model
    assert own.looked_at is None
    assert own.split is own.subject.split
    assert own.models == own.subject.loaded.name
