"""Plain supervised training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.contracts import Batch
from dlcli.losses.cross_entropy import CrossEntropy
from dlcli.losses.supervised import Supervised
from dlcli.randomness import SampleKeys

BATCH = Batch(torch.rand(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 1, 0]), torch.arange(4))
KEYS = SampleKeys(0, BATCH.index)


def test_the_loss_is_that_of_the_logits_it_returns() -> None:
    model = nn.Linear(3, 2)
    result = Supervised(CrossEntropy())(model, BATCH, rng=KEYS, step=0)
    assert torch.equal(result.logits, model(BATCH.inputs))
    assert torch.equal(result.value, CrossEntropy()(result.logits, BATCH.targets))


def test_the_loss_reaches_every_parameter() -> None:
    model = nn.Linear(3, 2)
    Supervised(CrossEntropy())(model, BATCH, rng=KEYS, step=0).value.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_a_loss_with_one_value_per_example_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction 'mean', got 'none'"):
        Supervised(CrossEntropy(reduction="none"))
