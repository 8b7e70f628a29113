import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.heads import head_name
from dlcli.models.vgg import VGG


def spec(*shape: int) -> DataSpec:
    channels = shape[0]
    names = tuple("0123456789")
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * channels, std=(1.0,) * channels, epsilon={})


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_depth_11_has_the_published_parameters_less_the_biases_that_batch_norm_undoes():
    # 9,231,114 is the usual count for CIFAR-10, where each convolution keeps a bias, one per channel, before its norm.
    biases = 64 + 128 + 2 * 256 + 4 * 512
    with torch.device("meta"):
        assert count(VGG(spec=spec(3, 32, 32))) == 9_231_114 - biases == 9_228_362


@pytest.mark.parametrize(("depth", "convolutions"), [(11, 8), (13, 10), (16, 13), (19, 16)])
def test_a_depth_has_the_papers_convolutions(depth, convolutions):
    with torch.device("meta"):
        model = VGG(spec=spec(3, 32, 32), depth=depth)
    assert sum(isinstance(module, nn.Conv2d) for module in model.modules()) == convolutions == depth - 3


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_its_convolutions_are_torchvisions(depth):
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        own, theirs = VGG(spec=spec(3, 32, 32), depth=depth, norm="none"), getattr(models, f"vgg{depth}")()
    shapes = [[module.weight.shape for module in model.modules() if isinstance(module, nn.Conv2d)] for model in (own, theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("side", "maps"), [(8, 1), (28, 1), (32, 1), (64, 2)])
def test_maps_are_halved_as_long_as_they_are_wider_than_a_pixel(side, maps):
    model, inputs = VGG(spec=spec(1, side, side), width=2).eval(), torch.randn(2, 1, side, side)
    assert model.features(inputs).shape == (2, 16, maps, maps)
    assert model(inputs).shape == (2, 10)


def test_an_oblong_image_is_halved_by_its_short_side():
    assert VGG(spec=spec(1, 8, 40), width=2).features(torch.randn(2, 1, 8, 40)).shape == (2, 16, 1, 5)


def test_convolutions_have_a_bias_only_without_a_norm():
    models = [VGG(spec=spec(1, 8, 8), width=2, norm=norm) for norm in ("batch", "none")]
    found = [{module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d)} for model in models]
    assert found == [{False}, {True}]


def test_the_head_is_the_linear_layer_named_head():
    assert head_name(VGG(spec=spec(1, 8, 8), width=2)) == "head"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"depth": 12}, "^depth must be one of 11, 13, 16, 19, got 12"),
        ({"width": 0}, "^width must be at least 1, got 0"),
        ({"dropout": -1.0}, r"^dropout must be in \[0, 1\), got -1.0"),
        ({"norm": "bacth"}, "^norm must be one of .*; did you mean 'batch'"),
        ({"init": "hee"}, "^init must be one of"),
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        VGG(spec=spec(3, 32, 32), **{"width": 2, **value})


def test_tiny_images_are_refused():
    with pytest.raises(ValueError, match=r"^VGG needs images .* of at least 8 x 8 pixels"):
        VGG(spec=spec(3, 7, 32))
