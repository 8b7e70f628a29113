"""Outcomes that were kept are taken for what they depend on and for nothing else."""

from __future__ import annotations

import pytest
import torch

from dlcli.attacks.pgd import PGD
from dlcli.commands.attack_chain import Link
from dlcli.commands.attack_store import digest_of, keep, kept
from dlcli.commands.models import Loaded
from dlcli.commands.subject import Subject
from dlcli.engine.outcomes import Clean, Outcomes
from dlcli.runs.run import Run

ROWS = torch.tensor([0, 2])


def link(epsilon: float = 0.1) -> Link:
    return Link(name="pgd", words="PGD", attack=PGD(epsilon=epsilon), on_all=True, forwards=1, backwards=1)


def subject(bias: float = 0.0) -> Subject:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    model[0].bias.data += bias
    return Subject(Loaded(model, None, "x", "x", {}), None, torch.device("cpu"))  # type: ignore[arg-type]


def clean(digest: str = "inputs") -> Clean:
    return Clean(torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64), digest)


@pytest.fixture
def run():
    made = Run.create(verb="attack", name="report", config=b"{}\n", information={"parent": None})
    yield made
    made.fail(RuntimeError("over"))


def found() -> Outcomes:
    sizes = torch.tensor([0.1, 0.30000001192092896])
    return Outcomes(rows=ROWS, predicted=torch.tensor([1, 0]), distances=sizes, forwards=7, backwards=3, seconds=0.5)


def test_what_was_kept_comes_back_bit_for_bit(run):
    keep(run, "attacks", link(), found(), digest="d")
    back = kept(run, "attacks", link(), ROWS, digest="d")
    assert back is not None
    assert torch.equal(back.predicted, found().predicted)
    assert torch.equal(back.distances, found().distances)
    assert (back.forwards, back.backwards, back.seconds) == (7, 3, 0.5)


def test_another_digest_other_rows_and_another_folder_have_nothing(run):
    keep(run, "attacks", link(), found(), digest="d")
    assert kept(run, "attacks", link(), ROWS, digest="e") is None
    assert kept(run, "attacks", link(), torch.tensor([0, 1]), digest="d") is None
    assert kept(run, "against", link(), ROWS, digest="d") is None


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"digest": "d"}', '{"digest": "d", "rows": 3}', "cut {"])
def test_a_damaged_file_is_as_good_as_none(run, damage):
    keep(run, "attacks", link(), found(), digest="d")
    (run.path / "attacks" / "pgd.json").write_text(damage)
    assert kept(run, "attacks", link(), ROWS, digest="d") is None


def test_the_digest_depends_on_all_that_the_outcomes_depend_on():
    one = digest_of(subject(), clean(), link().attack, ROWS, seed=0)
    assert one == digest_of(subject(), clean(), link().attack, ROWS, seed=0)
    others = [
        digest_of(subject(bias=0.1), clean(), link().attack, ROWS, seed=0),
        digest_of(subject(), clean("other"), link().attack, ROWS, seed=0),
        digest_of(subject(), clean(), link(0.2).attack, ROWS, seed=0),
        digest_of(subject(), clean(), link().attack, torch.tensor([0, 1]), seed=0),
        digest_of(subject(), clean(), link().attack, ROWS, seed=1),
    ]
    assert len({one, *others}) == 6
