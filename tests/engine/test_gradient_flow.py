"""Gradient flow in networks whose gradients are known, and the check by finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from dlcli.contracts import Batch
from dlcli.engine.gradient_flow import example_losses, gradient_check, gradient_flow


def batch(inputs: torch.Tensor, targets: torch.Tensor) -> Batch:
    return Batch(inputs, targets, torch.arange(len(targets)))


def deep(gain: float, depth: int = 6, width: int = 8) -> nn.Sequential:
    """Linear layers that are ``gain`` times an orthogonal matrix each: a gradient changes by that factor in every layer."""
    torch.manual_seed(0)
    layers = [nn.Linear(width, width, bias=False) for _ in range(depth)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight, gain=gain)
    return nn.Sequential(*layers)


EXAMPLES = batch(torch.randn(20, 8, generator=torch.Generator().manual_seed(1)), torch.arange(20) % 8)


@pytest.mark.parametrize("gain", [0.5, 1.0, 3.0])
def test_orthogonal_layers_change_a_gradient_by_their_gain(gain):
    flows = gradient_flow(deep(gain), EXAMPLES)
    assert [flow.name for flow in flows] == list("012345")
    for nearer, farther in zip(flows[1:], flows, strict=False):
        assert farther.signal / nearer.signal == pytest.approx(gain, rel=1e-4)
        assert nearer.activation / farther.activation == pytest.approx(gain, rel=1e-4)


def test_a_linear_models_gradient_is_the_closed_form():
    model = nn.Sequential(nn.Linear(8, 8))
    (flow,) = gradient_flow(model, EXAMPLES)
    surplus = model(EXAMPLES.inputs).detach().softmax(dim=1) - nn.functional.one_hot(EXAMPLES.targets, 8)
    gradient = surplus.T @ EXAMPLES.inputs / 20
    assert flow.signal == pytest.approx(float(surplus.norm(dim=1).mean()), rel=1e-5)
    assert flow.gradient == pytest.approx(float(gradient.norm()), rel=1e-5)
    assert flow.weight == pytest.approx(float(model[0].weight.detach().norm()), rel=1e-6)
    assert flow.share == pytest.approx(flow.gradient / flow.weight)


def test_what_works_in_place_changes_nothing():
    torch.manual_seed(0)
    layers = [nn.Linear(8, 8), nn.ReLU(inplace=True), nn.Linear(8, 8)]
    out_of_place = nn.Sequential(layers[0], nn.ReLU(), layers[2])
    assert gradient_flow(nn.Sequential(*layers), EXAMPLES) == gradient_flow(out_of_place, EXAMPLES)


def test_a_layer_behind_which_the_gradient_is_cut_has_none():
    class Cut(nn.Module):
        def forward(self, inputs):
            return inputs.detach()

    flows = gradient_flow(nn.Sequential(nn.Linear(8, 8), Cut(), nn.Linear(8, 8)), EXAMPLES)
    assert (flows[0].signal, flows[0].gradient) == (0, 0)
    assert flows[1].signal > 0


def test_a_weight_of_zeros_has_no_share():
    model = nn.Linear(8, 8)
    nn.init.zeros_(model.weight)
    assert math.isnan(gradient_flow(nn.Sequential(model), EXAMPLES)[0].share)


def test_a_loss_is_each_examples_own_and_one_binary_logit_is_two_classes():
    logits, targets = torch.tensor([[2.0], [-1.0]]), torch.tensor([1, 1])
    expected = nn.functional.softplus(torch.tensor([-2.0, 1.0]))
    assert torch.allclose(example_losses(logits, targets), expected)


def test_backpropagation_agrees_with_finite_differences_and_the_model_stays():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.BatchNorm1d(16), nn.Linear(16, 8)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pairs = gradient_check(model, EXAMPLES, directions=4, seed=0)
    assert len({slope for slope, _ in pairs}) == 4
    for slope, measured in pairs:
        assert measured == pytest.approx(slope, rel=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training and model[0].weight.grad is None


def test_a_wrong_gradient_is_found():
    class Halved(torch.autograd.Function):
        @staticmethod
        def forward(ctx, inputs):
            return inputs.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient / 2

    class Wrong(nn.Module):
        def forward(self, inputs):
            return Halved.apply(inputs)

    pairs = gradient_check(nn.Sequential(nn.Linear(8, 8), Wrong()), EXAMPLES, directions=2, seed=0)
    for slope, measured in pairs:
        assert measured == pytest.approx(2 * slope, rel=1e-4)
