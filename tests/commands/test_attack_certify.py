"""Certificates and attacks on one smoothed classifier: neither contradicts the other, on an affine one and on a trained one."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from dlcli.commands.attack_certified import Certified
from dlcli.commands.attack_certify import Smoothing, certified_part, certify, joined
from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded, load_model
from dlcli.commands.subject import Subject
from dlcli.data.memory import MemorySplit
from dlcli.data.mnist import MNIST
from dlcli.engine.outcomes import clean_outcomes
from dlcli.errors import Interrupted
from dlcli.runs.run import Run

CPU = torch.device("cpu")
PLAN = Smoothing(sigma=0.2, draws=400, chosen_by=50, steps=10, copies=4)


def affine(count: int = 30) -> Subject:
    """Two classes with the boundary in the middle of the box, and images at known distances from it, labelled by their side."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    model[1].bias.data = -model[1].weight.data.sum(dim=1) / 2
    images = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(1)) * 0.6 + 0.2
    split = MemorySplit(images, model(images).argmax(dim=1))
    return Subject(Loaded(model, None, "x", "x", {}), split, CPU)  # type: ignore[arg-type]


def distances(subject: Subject) -> torch.Tensor:
    layer, batch = subject.loaded.model[1], next(iter(subject.split.batches(torch.arange(len(subject.split)), 1000)))  # type: ignore[index]
    way = layer.weight[1] - layer.weight[0]
    return ((batch.inputs.flatten(1) @ way + layer.bias[1] - layer.bias[0]) / way.norm()).abs().detach().double()


def part(subject: Subject, rows: torch.Tensor) -> Certified:
    return certified_part(subject, PLAN, rows, seed=0, batch_size=1000)


def test_the_true_radius_of_an_affine_classifier_lies_between_both_bounds():
    # Cohen et al. 2019, proposition 2: it is the distance to the boundary.
    subject = affine()
    found, true = part(subject, torch.arange(30)), distances(subject)
    proven, broken = found.radii.isfinite(), found.falls.isfinite()
    assert (found.radii <= true).all()
    assert (found.falls >= true - 1e-6).all()
    # Neither bound is empty.
    assert proven.sum() >= 15
    assert broken.sum() >= 15
    assert found.contradicted == 0


def test_what_is_certified_stands_attacks_on_each_example_of_a_trained_network():
    loaded = load_model("builtin:mnist", which="best", device=CPU, talk=Talk(quiet=True))
    subject = Subject(loaded, MNIST().load().test.select(torch.arange(12)), CPU)
    found = part(subject, torch.arange(12))
    assert found.right.sum() >= 10
    assert (found.radii > 0).sum() >= 8
    assert found.falls.isfinite().sum() >= 3
    assert (found.falls >= found.radii)[found.right].all()


def test_wrong_examples_fall_without_an_attack():
    subject = affine()
    wrong = Subject(subject.loaded, MemorySplit(subject.split.inputs, 1 - subject.split.targets), CPU)  # type: ignore[attr-defined]
    found, true = part(wrong, torch.arange(30)), distances(subject)
    assert (found.falls[true > 0.2] == 0).all()
    assert not found.right.any()


def test_parts_come_to_the_same_as_all_at_once():
    subject = affine(8)
    whole, halves = part(subject, torch.arange(8)), joined([part(subject, torch.arange(5)), part(subject, torch.arange(5, 8))])
    assert torch.equal(whole.radii, halves.radii)
    assert torch.equal(whole.classes, halves.classes)
    assert torch.allclose(whole.falls, halves.falls, atol=1e-4)


@pytest.fixture
def run():
    made = Run.create(verb="attack", name="report", config=b"{}\n", information={"parent": None})
    yield made
    made.fail(RuntimeError("over"))


def test_finished_parts_are_taken_from_the_run_and_damaged_ones_are_made_again(run):
    subject, asked = affine(40), []
    clean = clean_outcomes(subject.loaded.model, subject.split, batch_size=40)

    def all_of_it(stop_after: int | None = None) -> Certified:
        def check() -> None:
            asked.append(1)
            if stop_after is not None and (run.path / "certified" / "0000.json").exists():
                raise Interrupted("stopped", signal_number=2)

        own = {"count": 40, "seed": 0, "batch_size": 1000, "run": run, "talk": Talk(quiet=True), "check": check}
        return certify(subject, clean, PLAN, **own)  # type: ignore[arg-type]

    with pytest.raises(Interrupted):
        all_of_it(stop_after=1)
    first = (run.path / "certified" / "0000.json").read_bytes()
    whole = all_of_it()
    assert (run.path / "certified" / "0000.json").read_bytes() == first
    asked.clear()
    again = all_of_it()
    cost_only = len(asked)
    assert all(torch.equal(getattr(whole, name), getattr(again, name)) for name in ("rows", "classes", "radii", "falls"))
    content = json.loads(first)
    (run.path / "certified" / "0000.json").write_text(json.dumps({**content, "digest": "of something else"}))
    asked.clear()
    assert torch.equal(all_of_it().radii, whole.radii)
    assert len(asked) > cost_only
