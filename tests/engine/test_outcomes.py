"""What an attack did to each example: counted, independent of the batch, and stopped at the next forward pass."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.attacks.noise import Noise
from dlcli.attacks.pgd import PGD
from dlcli.data.memory import MemorySplit
from dlcli.engine.outcomes import clean_outcomes, outcomes, polled


class Stop(Exception):
    pass


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def split(count: int = 12) -> MemorySplit:
    inputs = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    targets = network()(inputs).argmax(dim=1)
    targets[-2:] = (targets[-2:] + 1) % 3
    return MemorySplit(inputs, targets)


def test_a_clean_look_says_which_examples_are_right():
    clean = clean_outcomes(network(), split(), batch_size=5)
    assert clean.right.tolist() == [True] * 10 + [False] * 2


def test_other_inputs_have_another_digest():
    one = clean_outcomes(network(), split(), batch_size=5).digest
    assert one == clean_outcomes(network(), split(), batch_size=12).digest
    assert one != clean_outcomes(network(), split(11), batch_size=5).digest


@pytest.mark.parametrize("batch_size", [2, 12])
def test_only_the_chosen_rows_are_attacked_whatever_the_batch(batch_size):
    clean, rows = clean_outcomes(network(), split(), batch_size=12), torch.tensor([7, 1, 4])
    attack = PGD(epsilon=0.2, steps=5)
    own = outcomes(network(), attack, split(), rows, clean, batch_size=batch_size, seed=3)
    whole = outcomes(network(), attack, split(), torch.arange(12), clean, batch_size=12, seed=3)
    assert own.rows.tolist() == [7, 1, 4]
    assert torch.equal(own.predicted, whole.predicted[rows])
    assert torch.allclose(own.distances, whole.distances[rows], atol=1e-6)
    assert (whole.distances[10:] == 0).all()
    assert 0 < own.forwards < whole.forwards
    assert 0 < own.backwards < own.forwards


def test_a_null_is_tried_on_the_misclassified_too():
    clean = clean_outcomes(network(), split(), batch_size=12)
    own = outcomes(
        network(), Noise(epsilon=0.1), split(), torch.arange(12), clean, batch_size=12, seed=0, spare_misclassified=False
    )
    assert (own.distances > 0).all()


def test_no_rows_are_no_work():
    clean = clean_outcomes(network(), split(), batch_size=12)
    own = outcomes(network(), PGD(epsilon=0.1), split(), torch.arange(0), clean, batch_size=12, seed=0)
    assert len(own.predicted) == own.forwards == own.backwards == 0


def test_a_check_that_raises_stops_inside_a_batch_and_leaves_no_hook():
    model, calls = network(), []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Stop

    clean = clean_outcomes(model, split(), batch_size=12)
    with pytest.raises(Stop):
        outcomes(model, PGD(epsilon=1e-6, steps=50), split(), torch.arange(12), clean, batch_size=12, seed=0, check=check)
    assert not model._forward_pre_hooks
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_polled_model_asks_before_each_pass():
    calls = []
    model = network()
    with polled(model, lambda: calls.append(1)):
        model(torch.zeros(1, 1, 4, 4))
        model(torch.zeros(1, 1, 4, 4))
    model(torch.zeros(1, 1, 4, 4))
    assert len(calls) == 2


def test_progress_counts_examples():
    seen = []
    clean = clean_outcomes(network(), split(), batch_size=12)
    outcomes(network(), Noise(epsilon=0.1), split(), torch.arange(12), clean, batch_size=5, seed=0, done=seen.append)
    assert seen == [5, 10, 12]
