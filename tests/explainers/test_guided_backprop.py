"""Guided backpropagation by hand, and models on which captum would quietly return the gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.errors import UsageError
from dlcli.explainers.guided_backprop import GuidedBackprop


def test_only_positive_gradients_pass_a_relu_that_is_open() -> None:
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(inplace=True), nn.Linear(3, 2, bias=False))
    model[0].weight.data = torch.tensor([[1.0, 2.0], [3.0, 1.0], [-1.0, -1.0]])
    model[2].weight.data = torch.tensor([[1.0, -1.0, 1.0], [0.0, 1.0, 0.0]])
    # Unit 0 is open and passes 1; unit 1 has a negative gradient; unit 2 is closed.
    found = GuidedBackprop()(model, torch.tensor([[1.0, 1.0]]), torch.tensor([0]))
    assert found.tolist() == [[1.0, 2.0]]


def test_a_functional_relu_is_told() -> None:
    class Net(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.relu(super().forward(inputs))

    with pytest.raises(UsageError, match="functional ReLU") as refusal:
        GuidedBackprop()(nn.Sequential(Net(4, 4), nn.ReLU()), torch.rand(2, 4), torch.tensor([0, 1]))
    assert refusal.value.hint


def test_a_model_without_relus_is_told() -> None:
    with pytest.raises(UsageError, match="has none"):
        GuidedBackprop()(nn.Linear(4, 2), torch.rand(2, 4), torch.tensor([0, 1]))


def test_its_note_says_that_it_fails_the_sanity_check() -> None:
    assert "sanity check" in GuidedBackprop.note
