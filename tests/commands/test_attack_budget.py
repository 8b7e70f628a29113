"""The best answer within a time: whole examples only, in a random order."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.commands.attack_budget import order_of, seconds_of, within_budget
from dlcli.commands.attack_chain import Effort
from dlcli.commands.models import Loaded
from dlcli.commands.subject import Subject
from dlcli.data.memory import MemorySplit
from dlcli.engine.outcomes import clean_outcomes
from dlcli.errors import Interrupted


class Clock:
    """Goes on by a second whenever it is looked at, which is before every forward pass."""

    now = 0.0

    def perf_counter(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr("dlcli.commands.attack_budget.time", Clock())


LINKS = Effort(epsilon=0.02, norm="linf", steps=3, targets=2, queries=5, reach=2.0, rungs=2).chain(3)


def examined(seconds: float, check=lambda: None):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    inputs = torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    split = MemorySplit(inputs, model(inputs).argmax(dim=1))
    subject = Subject(Loaded(model, None, "x", "x", {}), split, torch.device("cpu"))  # type: ignore[arg-type]
    clean = clean_outcomes(model, split, batch_size=60)
    return within_budget(subject, LINKS, clean, epsilon=0.02, until=seconds, batch_size=60, seed=0, check=check)


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("5m", 300), ("1.5h", 5400), ("90", 90), (" 2 min ", 120)])
def test_a_time_is_read_with_its_unit(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0s", "-5s", "5 days"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="60s or 5m"):
        seconds_of(text)


def test_the_order_is_random_and_always_the_same():
    order = order_of(50, seed=3)
    assert torch.equal(order, order_of(50, seed=3))
    assert not torch.equal(order, order_of(50, seed=4))
    assert torch.equal(order.sort().values, torch.arange(50))


def test_with_time_enough_every_example_is_examined():
    found = examined(1e6)
    assert found.examined.sort().values.tolist() == list(range(60))
    assert set(found.found) == {link.name for link in LINKS}


def test_when_the_time_is_over_only_whole_examples_count():
    found = examined(150)
    assert 0 < len(found.examined) < 60
    assert found.examined.tolist() == order_of(60, seed=0)[: len(found.examined)].tolist()
    # Each was tried by every attack for as long as it stood: whoever stands met the last one.
    assert set(found.standing().nonzero().flatten().tolist()) <= set(found.found["square"].rows.tolist())


def test_no_time_examines_nobody():
    assert len(examined(0).examined) == 0


def test_a_signal_is_no_end_of_the_time():
    def check() -> None:
        raise Interrupted("stopped", signal_number=2)

    with pytest.raises(Interrupted):
        examined(1e6, check)
