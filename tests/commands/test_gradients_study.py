"""``dl explain gradients``: what it says of gradients that arrive, vanish and explode."""

from __future__ import annotations

import math

import pytest

from dlcli.commands.gradients_study import Gradients, _reach, _verdict
from dlcli.engine.gradient_flow import LayerFlow


def flows(*signals: float) -> list[LayerFlow]:
    return [
        LayerFlow(name=str(place), kind="Linear", activation=1.0, signal=signal, weight=1.0, gradient=1.0)
        for place, signal in enumerate(signals)
    ]


def test_reach_is_the_first_layers_share_of_the_lasts():
    assert _reach(flows(0.1, 0.5, 2.0)) == pytest.approx(0.05)
    assert math.isnan(_reach(flows(1.0, 0.0)))
    assert math.isnan(_reach([]))


@pytest.mark.parametrize(
    ("signals", "word"),
    [
        ((1e-4, 1e-2, 1.0), "VANISHES"),
        ((1e4, 1e2, 1.0), "EXPLODES"),
        ((0.5, 0.7, 1.0), "neither"),
        ((0.0, 0.0, 1.0), "VANISHES"),
        ((1.0, 0.0), "nothing would be learned"),
        ((1.0,), "one layer"),
    ],
)
def test_a_verdict_is_words(signals, word):
    assert word in _verdict(flows(*signals))


@pytest.mark.parametrize("wrong", [{"examples": 0}, {"directions": 0}, {"activation": "step"}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Gradients(**wrong)


def test_a_deep_sigmoid_network_starts_with_a_gradient_that_vanishes(dl, runs):
    deep = ("model=mlp", "model.widths=[16,16,16,16,16,16]", "model.activation=sigmoid")
    assert dl("train", "digits", *deep, "--epochs", "1", "--name", "deep", "--quiet").code == 0
    answer = dl("explain", "gradients", "--run", "deep", "study.examples=64")
    assert answer.code == 0, answer.err
    assert "before training:" in answer.err
    assert "VANISHES" in answer.err.split("before training:")[1]
