import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.heads import head_name
from dlcli.models.resnet import ResidualBlock, ResNet


def spec(*shape: int) -> DataSpec:
    channels = shape[0]
    names = tuple("0123456789")
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * channels, std=(1.0,) * channels, epsilon={})


SMALL = {"blocks": [1, 1], "width": 4}


@pytest.mark.parametrize(("blocks", "parameters"), [([2, 2, 2, 2], 11_173_962), ([3, 4, 6, 3], 21_282_122)])
def test_resnet_18_and_34_have_the_published_parameters_for_cifar(blocks, parameters):
    with torch.device("meta"):
        model = ResNet(spec=spec(3, 32, 32), blocks=blocks)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_with_the_same_weights_it_computes_what_torchvisions_resnet_18_does():
    models = pytest.importorskip("torchvision.models")
    theirs = models.resnet18(num_classes=10, width_per_group=64)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    own = ResNet(spec=spec(3, 32, 32))
    # Both register their layers in the same order.
    own.load_state_dict(dict(zip(own.state_dict(), theirs.state_dict().values(), strict=True)), strict=True)
    inputs = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(own.eval()(inputs), theirs.eval()(inputs), atol=1e-4)


def test_the_last_maps_of_32_pixels_are_4_by_4():
    with torch.device("meta"):
        assert ResNet(spec=spec(3, 32, 32)).stages(torch.empty(2, 64, 32, 32)).shape == (2, 512, 4, 4)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 9, 40)])
def test_any_image_from_8_by_8_gives_logits(shape):
    assert ResNet(spec=spec(*shape), **SMALL)(torch.randn(2, *shape)).shape == (2, 10)


def test_a_block_adds_its_input():
    block, inputs = ResidualBlock(3, 3, stride=1, activation="relu", norm="none"), torch.randn(2, 3, 5, 5)
    residual = block.conv2(block.conv1(inputs).clamp(min=0))
    assert torch.allclose(block(inputs), (residual + inputs).clamp(min=0), atol=1e-6)


def test_with_zero_residual_a_block_starts_as_the_identity_of_positive_maps():
    model = ResNet(spec=spec(3, 8, 8), zero_residual=True, **SMALL)
    inputs = torch.rand(2, 4, 8, 8)
    assert torch.equal(model.stages[0][0](inputs), inputs)


def test_convolutions_start_with_variance_two_over_fan_out():
    weight = ResNet(spec=spec(3, 8, 8), blocks=[1], width=64).stages[0][0].conv2.weight
    assert weight.var().item() == pytest.approx(2 / (64 * 9), rel=0.05)


def test_the_head_is_the_linear_layer_named_head():
    assert head_name(ResNet(spec=spec(3, 8, 8), **SMALL)) == "head"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"blocks": [2, 0]}, r"^blocks must hold numbers of at least 1, got \[2, 0\]"),
        ({"blocks": []}, "^blocks must be at least 1, got 0"),
        ({"width": 0}, "^width must be at least 1, got 0"),
        ({"dropout": 1.0}, r"^dropout must be in \[0, 1\), got 1.0"),
        ({"norm": "none", "zero_residual": True}, "^zero_residual needs a norm, got norm=none"),
        ({"activation": "rellu"}, "^activation must be one of"),
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        ResNet(spec=spec(3, 32, 32), **{**SMALL, **value})


def test_tiny_images_are_refused():
    with pytest.raises(ValueError, match=r"^ResNet needs images .* of at least 8 x 8 pixels"):
        ResNet(spec=spec(3, 7, 32))
