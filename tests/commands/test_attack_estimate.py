"""What a report will take, said before it starts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.commands.attack_chain import Effort
from dlcli.commands.attack_estimate import Estimate, duration, estimate
from dlcli.commands.models import Loaded
from dlcli.commands.subject import Subject
from dlcli.data.memory import MemorySplit

EFFORT = Effort(epsilon=0.1, norm="linf", steps=100, targets=9, queries=5000, reach=2.0, rungs=4)


def guess(**changes: float) -> Estimate:
    values = {"forward": 1e-3, "both": 3e-3, "standing": 0.5, "right": 1.0, "examples": 64, **changes}
    return Estimate(**values)  # type: ignore[arg-type]


def test_a_robust_example_costs_what_the_passes_of_all_attacks_cost():
    links = EFFORT.chain(10)
    passes = sum(link.forwards for link in links), sum(link.backwards for link in links)
    expected = 100 * (passes[1] * 3e-3 + (passes[0] - passes[1]) * 1e-3)
    assert guess().seconds(links, 100, standing=1.0) == pytest.approx(expected)


def test_what_falls_early_costs_little():
    links = EFFORT.chain(10)
    assert guess(standing=0.0).seconds(links, 100) < guess(standing=1.0).seconds(links, 100) / 20


def test_the_words_give_both_ends():
    words = guess().words(EFFORT.chain(10), 1000)
    assert "of 64 examples 50 % stood after PGD" in words
    assert "if every example stood" in words


def test_the_passes_of_a_robust_example_are_those_that_the_attacks_make():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 10))
    inputs = torch.rand(4, 1, 4, 4)
    small = Effort(epsilon=1e-7, norm="linf", steps=7, targets=3, queries=11, reach=2.0, rungs=4)
    for link in (*small.chain(10), small.curve_link(steps=5)):
        passes = {"forwards": 0, "backwards": 0}

        def forward_hook(_module, _inputs, output, passes=passes):
            passes["forwards"] += len(output)
            if output.requires_grad:
                output.register_hook(lambda gradient: passes.__setitem__("backwards", passes["backwards"] + len(gradient)))

        handle = model.register_forward_hook(forward_hook)
        targets = nn.functional.linear(inputs.flatten(1), model[1].weight, model[1].bias).argmax(dim=1)
        link.attack(model, inputs, targets)
        handle.remove()
        assert passes["backwards"] == 4 * link.backwards
        assert abs(passes["forwards"] - 4 * link.forwards) <= 8


def test_a_few_examples_say_how_many_stand():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    inputs = torch.rand(80, 1, 4, 4)
    split = MemorySplit(inputs, model(inputs).argmax(dim=1))
    subject = Subject(Loaded(model, None, "x", "x", {}), split, torch.device("cpu"))  # type: ignore[arg-type]
    tiny = Effort(epsilon=1e-7, norm="linf", steps=3, targets=2, queries=5, reach=2.0, rungs=2).chain(3)
    large = Effort(epsilon=1.0, norm="linf", steps=3, targets=2, queries=5, reach=2.0, rungs=2).chain(3)
    assert estimate(subject, tiny, batch_size=40, seed=0).standing == 1
    found = estimate(subject, large, batch_size=40, seed=0)
    assert found.standing == 0
    assert found.right == 1
    assert 0 < found.forward <= found.both


@pytest.mark.parametrize(("seconds", "words"), [(0.04, "0.0 s"), (3, "3.0 s"), (59.6, "60 s"), (750, "12 min"), (9000, "2.5 h")])
def test_a_time_in_words(seconds, words):
    assert duration(seconds) == words
