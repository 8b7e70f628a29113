"""The gradient that attacks climb, against finite differences and closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.gradients import loss_gradient

INPUTS = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
CLASSES = torch.tensor([0, 2, 1])


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3)


def test_for_a_linear_model_it_is_the_weights_times_probability_minus_target() -> None:
    model = linear()
    residual = model(INPUTS).softmax(dim=1) - nn.functional.one_hot(CLASSES, 3)
    assert torch.allclose(loss_gradient(model, INPUTS, CLASSES), residual @ model.weight, atol=1e-6)


def test_for_one_binary_logit_it_is_the_weights_times_sigmoid_minus_target() -> None:
    model = nn.Linear(4, 1)
    targets = torch.tensor([0, 1, 1])
    residual = torch.sigmoid(model(INPUTS)) - targets[:, None]
    assert torch.allclose(loss_gradient(model, INPUTS, targets), residual @ model.weight, atol=1e-6)


def test_an_example_has_the_same_gradient_alone_and_in_a_batch() -> None:
    together = loss_gradient(linear(), INPUTS, CLASSES)
    assert torch.allclose(loss_gradient(linear(), INPUTS[1:2], CLASSES[1:2]), together[1:2], atol=1e-7)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_is_the_same_where_gradients_are_off(context: type) -> None:
    model = linear()
    expected = loss_gradient(model, INPUTS, CLASSES)
    with context():
        assert torch.equal(loss_gradient(model, INPUTS.clone(), CLASSES.clone()), expected)


def test_a_model_that_writes_into_its_input_changes_nothing_of_the_callers() -> None:
    model, inputs = nn.Sequential(nn.ReLU(inplace=True), linear()), INPUTS - 0.5
    before = inputs.clone()
    gradient = loss_gradient(model, inputs, CLASSES)
    assert torch.equal(inputs, before)
    assert torch.equal(gradient == 0, before <= 0)


def test_a_model_that_ignores_its_input_has_no_gradient() -> None:
    class Deaf(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.ones(len(inputs), 3)

    assert torch.equal(loss_gradient(Deaf(), INPUTS, CLASSES), torch.zeros(3, 4))
