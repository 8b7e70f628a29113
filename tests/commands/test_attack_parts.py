"""Batches that were kept are taken for what they are of, in order and whole, and for nothing else."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dlcli.commands import attack_parts
from dlcli.commands.attack_parts import FOLDER, Parts, joined
from dlcli.data.memory import MemorySplit
from dlcli.engine.perturb import AttackReport
from dlcli.runs.run import Run

INPUTS = torch.rand(6, 1, 2, 2, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(6) % 3
SPLIT = MemorySplit(INPUTS, TARGETS)


def report(start: int, stop: int, *, goals: bool = False) -> AttackReport:
    own, rows = TARGETS[start:stop], torch.arange(start, stop)
    aims = (own + 1) % 3 if goals else None
    moved, sizes = INPUTS[start:stop] * 0.5, rows.float() / 10
    return AttackReport(INPUTS[start:stop], moved, own, own, (own + 1) % 3, sizes, rows, forwards=3, backwards=2, goals=aims)


def network(bias: float = 0.0) -> torch.nn.Module:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 3)
    model.bias.data += bias
    return model


def same(one: AttackReport, other: AttackReport) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(AttackReport)]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(attack_parts, "EVERY", 0.0)
    made = Run.create(verb="attack", name="pgd", config=b"{}\n", information={"parent": None})
    yield made
    made.fail(RuntimeError("over"))


@pytest.mark.parametrize("goals", [False, True])
def test_what_was_kept_comes_back_in_order(run: Run, goals: bool) -> None:
    parts = [report(0, 2, goals=goals), report(2, 5, goals=goals)]
    writer = Parts(run, network())
    for part in parts:
        writer.add(part)
    found = Parts(run, network()).known(SPLIT)
    assert len(found) == 2
    assert all(same(*pair) for pair in zip(found, parts, strict=True))


def test_what_comes_after_goes_behind_it(run: Run) -> None:
    Parts(run, network()).add(report(0, 2))
    again = Parts(run, network())
    assert len(again.known(SPLIT)) == 1
    again.add(report(2, 5))
    assert same(joined(Parts(run, network()).known(SPLIT)), joined([report(0, 2), report(2, 5)]))


def test_batches_wait_until_they_are_worth_a_file(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(attack_parts, "EVERY", 3600.0)
    writer = Parts(run, network())
    writer.add(report(0, 2))
    assert not (run.path / FOLDER).exists()
    monkeypatch.setattr(attack_parts, "EVERY", 0.0)
    writer.add(report(2, 5))
    (found,) = Parts(run, network()).known(SPLIT)
    assert same(found, joined([report(0, 2), report(2, 5)]))


def test_other_weights_and_other_examples_are_not_taken_for_it(run: Run) -> None:
    Parts(run, network()).add(report(0, 2))
    assert Parts(run, network(bias=1e-6)).known(SPLIT) == []
    assert Parts(run, network(), network()).known(SPLIT) == []
    assert Parts(run, network()).known(MemorySplit(INPUTS.flip(0), TARGETS)) == []
    assert Parts(run, network()).known(MemorySplit(INPUTS, TARGETS.flip(0))) == []
    assert Parts(run, network()).known(MemorySplit(INPUTS[:1], TARGETS[:1])) == []


def test_what_is_damaged_ends_what_is_known_and_is_written_anew(run: Run) -> None:
    writer = Parts(run, network())
    for part in (report(0, 2), report(2, 4), report(4, 6)):
        writer.add(part)
    second = run.path / FOLDER / "00001.npz"
    second.write_bytes(second.read_bytes()[:-200])
    again = Parts(run, network())
    assert len(again.known(SPLIT)) == 1
    again.add(report(2, 4))
    assert len(Parts(run, network()).known(SPLIT)) == 3


def test_nothing_is_left_of_it_in_the_end(run: Run) -> None:
    writer = Parts(run, network())
    writer.clear()
    writer.add(report(0, 2))
    writer.clear()
    assert not (run.path / FOLDER).exists()
