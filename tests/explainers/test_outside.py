"""The copy that captum gets, its seeds, and the watch over ReLUs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcli.explainers.evidence import Evidence
from dlcli.explainers.outside import ClassLogits, Rectifiers, of_copy, own_copy, rectifiers, seeded, seeds
from dlcli.randomness import SampleKeys

ROWS, TARGETS = torch.rand(3, 4), torch.tensor([0, 1, 1])


class Functional(nn.Module):
    """One ReLU module that runs twice, and one function."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu = nn.Linear(4, 4), nn.ReLU()

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.relu(self.relu(self.first(self.relu(inputs))))


def test_the_copy_works_nowhere_in_place_and_shares_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)).train()
    copied = own_copy(model)
    assert copied[1].inplace is False
    assert not copied.training
    copied[0].weight.data.zero_()
    assert model[1].inplace is True
    assert model.training
    assert model[0].weight.any()


def test_relus_are_counted_by_how_they_are_called() -> None:
    assert rectifiers(Evidence.of(Functional(), ROWS, TARGETS)) == Rectifiers(modules=1, reused=1, functional=1)
    plain = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2), nn.ReLU(inplace=True))
    assert rectifiers(Evidence.of(plain, ROWS, TARGETS)) == Rectifiers(modules=2, reused=0, functional=0)


def test_numpys_state_is_given_back_and_the_seed_decides() -> None:
    before = np.random.get_state()[1].tolist()
    drawn = []
    for seed in (3, 3, 4):
        with seeded(seed):
            drawn.append((float(np.random.rand()), float(torch.rand(1))))
    assert np.random.get_state()[1].tolist() == before
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(RuntimeError), seeded(1):
        np.random.rand()
        raise RuntimeError
    assert np.random.get_state()[1].tolist() == before


def test_seeds_belong_to_examples() -> None:
    keys = SampleKeys(1, torch.arange(5))
    assert seeds(keys, "lime")[3] == seeds(keys.take(torch.tensor([3])), "lime")[0]
    assert len(set(seeds(keys, "lime"))) == 5
    assert seeds(keys, "lime") != seeds(keys, "kernel_shap")


def test_class_logits_are_the_models() -> None:
    model = nn.Linear(4, 2)
    evidence = of_copy(model, ROWS, TARGETS)
    assert evidence.model is not model
    expected = model(ROWS).gather(1, TARGETS[:, None])[:, 0]
    assert torch.allclose(ClassLogits(evidence)(ROWS, evidence.rows), expected)
