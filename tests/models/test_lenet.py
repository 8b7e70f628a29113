import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.heads import head_name
from dlcli.models.lenet import LeNet


def spec(*shape: int) -> DataSpec:
    channels = shape[0]
    names = tuple("0123456789")
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * channels, std=(1.0,) * channels, epsilon={})


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("side", [28, 32])
def test_it_has_61706_parameters_on_digits(side):
    # The paper's layers: 6 (25 + 1) + 16 (6 · 25 + 1) + 120 (16 · 25 + 1) + 84 (120 + 1) + 10 (84 + 1).
    assert count(LeNet(spec=spec(1, side, side))) == 156 + 2_416 + 48_120 + 10_164 + 850 == 61_706


def test_colour_adds_the_two_further_channels_of_the_first_convolution():
    assert count(LeNet(spec=spec(3, 32, 32))) == 61_706 + 2 * 6 * 25


@pytest.mark.parametrize(("side", "maps"), [(28, 5), (32, 5), (12, 1), (13, 1), (31, 5), (48, 9)])
def test_the_last_maps_have_the_size_that_the_linear_layers_expect(side, maps):
    model, inputs = LeNet(spec=spec(1, side, side)), torch.randn(2, 1, side, side)
    assert model.features(inputs).shape == (2, 16, maps, maps)
    assert model(inputs).shape == (2, 10)


def test_a_28_pixel_digit_is_seen_as_the_same_digit_in_the_middle_of_32_pixels():
    small, large = LeNet(spec=spec(1, 28, 28)), LeNet(spec=spec(1, 32, 32))
    large.load_state_dict(small.state_dict())
    digit = torch.randn(3, 1, 28, 28)
    assert torch.allclose(small(digit), large(nn.functional.pad(digit, (2, 2, 2, 2))), atol=1e-6)


def test_images_need_not_be_square():
    assert LeNet(spec=spec(2, 12, 40))(torch.randn(2, 2, 12, 40)).shape == (2, 10)


def test_pool_and_activation_are_a_choice():
    modern, paper = LeNet(spec=spec(1, 28, 28), activation="relu", pool="max"), LeNet(spec=spec(1, 28, 28))
    kinds = {type(module) for module in modern.modules()}
    assert {nn.ReLU, nn.MaxPool2d} <= kinds
    assert not kinds & {nn.Tanh, nn.AvgPool2d}
    assert {nn.Tanh, nn.AvgPool2d} <= {type(module) for module in paper.modules()}


def test_the_head_is_the_linear_layer_named_head():
    assert head_name(LeNet(spec=spec(1, 28, 28))) == "head"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"pool": "maximum"}, "^pool must be average or max, got 'maximum'"),
        ({"dropout": 1.0}, r"^dropout must be in \[0, 1\), got 1.0"),
        ({"activation": "tahn"}, "^activation must be one of .*; did you mean 'tanh'"),
        ({"init": "hee"}, "^init must be one of .*; did you mean 'he'"),
        ({"outputs": 2}, "^outputs must be 10 .one per class., got 2"),
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        LeNet(spec=spec(1, 28, 28), **value)


@pytest.mark.parametrize("shape", [(30,), (1, 11, 28)])
def test_tables_and_tiny_images_are_refused(shape):
    with pytest.raises(ValueError, match=r"^LeNet needs images .* of at least 12 x 12 pixels"):
        LeNet(spec=spec(*shape))
