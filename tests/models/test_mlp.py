import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.mlp import MLP

IMAGES = DataSpec(name="i", shape=(2, 8, 8), classes=("a", "b", "c"), mean=(0.0, 0.0), std=(1.0, 1.0), epsilon={})
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
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        MLP(spec=TABLE, **value)
