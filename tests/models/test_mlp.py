import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.mlp import MLP

IMAGES = DataSpec(name="i", shape=(2, 8, 8), classes=("a", "b", "c"), mean=(0.0, 0.0), std=(1.0, 1.0), epsilon={})
CONFIGS = Path(__file__).parents[2] / "configs" / "model"
TABLE = DataSpec(name="t", shape=(4,), classes=("a", "b"), mean=(0.0,) * 4, std=(1.0,) * 4, kind="table", epsilon={})


def test_without_hidden_layers_it_is_the_affine_map_of_its_head():
    model, inputs = MLP(spec=IMAGES, widths=[]), torch.randn(5, 2, 8, 8)
    expected = inputs.reshape(5, 128) @ model.head.weight.T + model.head.bias
    assert torch.allclose(model(inputs), expected, atol=1e-6)
    assert sum(parameter.numel() for parameter in model.parameters()) == 128 * 3 + 3


def test_hidden_layers_compute_relu_of_affine_maps():
    model, inputs = MLP(spec=TABLE, widths=[6, 5]), torch.randn(3, 4)
    first, second = model.hidden[0].linear, model.hidden[1].linear
    hidden = (inputs @ first.weight.T + first.bias).clamp(min=0)
    hidden = (hidden @ second.weight.T + second.bias).clamp(min=0)
    assert torch.allclose(model(inputs), hidden @ model.head.weight.T + model.head.bias, atol=1e-6)


def test_channels_last_images_give_the_same_logits():
    model, inputs = MLP(spec=IMAGES).eval(), torch.randn(5, 2, 8, 8)
    assert torch.equal(model(inputs.contiguous(memory_format=torch.channels_last)), model(inputs))


def test_a_norm_replaces_the_biases_of_the_hidden_layers():
    model = MLP(spec=TABLE, widths=[6], norm="batch")
    assert model.hidden[0].linear.bias is None
    assert isinstance(model.hidden[0].norm, nn.BatchNorm1d)


def test_dropout_acts_in_training_only():
    model, inputs = MLP(spec=TABLE, widths=[64], dropout=0.5), torch.randn(3, 4)
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"widths": [8, 0]}, r"widths must be at least 1 each, got \[8, 0\]"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"activation": "rellu"}, "activation must be one of .*; did you mean 'relu'"),
        ({"norm": "bacth"}, "norm must be one of .*; did you mean 'batch'"),
        ({"outputs": 3}, "outputs must be 2 .*, got 3"),
        ({"init": "xavir"}, "init must be one of .*; did you mean 'xavier'"),
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        MLP(spec=TABLE, **value)


def shipped(name: str) -> MLP:
    """A network of configs/model for 28-pixel images of ten classes."""
    values = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    del values["_target_"]
    torch.manual_seed(0)
    return MLP(spec=replace(IMAGES, shape=(1, 28, 28), classes=tuple("0123456789")), **values)


def gradient_norms(model: MLP) -> list[float]:
    """Of the hidden layers' weights, first to last, for random images."""
    inputs, targets = torch.randn(64, 1, 28, 28), torch.arange(64) % 10
    nn.functional.cross_entropy(model(inputs), targets).backward()
    return [layer.linear.weight.grad.norm().item() for layer in model.hidden]


def test_through_deep_sigmoids_the_gradient_shrinks_fourfold_in_each_layer():
    norms = gradient_norms(shipped("deep_sigmoid"))
    # A sigmoid's slope is at most 1/4, and Glorot's weights of square layers keep a gradient's length.
    assert all(1 / 8 < earlier / later < 1 / 2 for earlier, later in itertools.pairwise(norms[1:]))
    assert norms[0] < 1e-3 * norms[-1]


def test_the_cure_keeps_the_gradient_through_as_many_layers():
    norms = gradient_norms(shipped("deep_relu"))
    assert all(2 / 3 < earlier / later < 3 / 2 for earlier, later in itertools.pairwise(norms[1:]))
    assert norms[0] > norms[-1]


@pytest.mark.parametrize(("name", "learns"), [("deep_sigmoid", False), ("deep_relu", True)])
def test_gradient_descent_fits_a_handful_of_examples_with_the_cure_alone(name, learns):
    model, targets = shipped(name), torch.arange(20) % 10
    inputs, optimizer = torch.randn(20, 1, 28, 28), torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    accuracy = (model(inputs).argmax(dim=1) == targets).float().mean().item()
    assert accuracy == 1.0 if learns else accuracy < 0.3


def test_the_initialisation_is_a_choice():
    assert not MLP(spec=TABLE, widths=[6], init="zeros").head.weight.any()
    assert MLP(spec=TABLE, widths=[6]).hidden[0].linear.bias.any()
