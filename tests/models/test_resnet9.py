import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.heads import head_name
from dlcli.models.resnet9 import ResidualPair, ResNet9


def spec(*shape: int) -> DataSpec:
    channels = shape[0]
    names = tuple("0123456789")
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * channels, std=(1.0,) * channels, epsilon={})


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


SMALL = {"widths": [4, 4, 4], "residuals": [0, 1]}


def test_the_default_has_the_published_parameters_and_a_bias_in_the_head():
    with torch.device("meta"):
        assert count(ResNet9(spec=spec(3, 32, 32))) == 6_573_120 + 10


def test_the_narrow_one_has_the_parameters_of_its_layers():
    convolutions = 9 * (3 * 32 + 32 * 64 + 64 * 128 + 2 * 128 * 128)
    norms = 2 * (32 + 64 + 3 * 128)
    model = ResNet9(spec=spec(3, 32, 32), widths=[32, 64, 128], residuals=[0, 1], stem_pool=2)
    assert count(model) == convolutions + norms + 10 * 129 == 390_186


@pytest.mark.parametrize(("stem_pool", "maps"), [(1, 8), (2, 4)])
def test_each_stage_and_the_stem_pool_halve_the_maps(stem_pool, maps):
    model = ResNet9(spec=spec(3, 32, 32), stem_pool=stem_pool, **SMALL)
    assert model.stages(model.stem(torch.randn(2, 3, 32, 32))).shape == (2, 4, maps, maps)


def test_the_logits_are_scaled():
    plain, scaled = (ResNet9(spec=spec(3, 8, 8), logit_scale=scale, **SMALL).eval() for scale in (1.0, 0.25))
    scaled.load_state_dict(plain.state_dict())
    inputs = torch.randn(3, 3, 8, 8)
    assert torch.allclose(scaled(inputs), 0.25 * plain(inputs), atol=1e-6)


def test_a_pair_adds_its_input():
    first, second, inputs = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1), torch.randn(2, 2, 4, 4)
    assert torch.equal(ResidualPair(first, second)(inputs), inputs + second(first(inputs)))


def test_the_momentum_reaches_every_batch_norm():
    model = ResNet9(spec=spec(3, 8, 8), norm_momentum=0.4, **SMALL)
    assert {module.momentum for module in model.modules() if isinstance(module, nn.BatchNorm2d)} == {0.4}


def test_the_head_is_the_linear_layer_named_head():
    assert head_name(ResNet9(spec=spec(3, 8, 8), **SMALL)) == "head"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"widths": []}, "^widths must be at least 1, got 0"),
        ({"widths": [4, 0, 4]}, r"^widths must hold numbers of at least 1, got \[4, 0, 4\]"),
        ({"residuals": [1]}, r"^residuals must hold 2 numbers of at least 0, got \[1\]"),
        ({"stem_pool": 0}, "^stem_pool must be at least 1, got 0"),
        ({"logit_scale": 0.0}, "^logit_scale must be above 0, got 0.0"),
        ({"norm_momentum": 2.0}, r"^norm_momentum must be in \(0, 1\], got 2.0"),
        ({"dropout": 1.0}, r"^dropout must be in \[0, 1\), got 1.0"),
        ({"norm": "bacth"}, "^norm must be one of .*; did you mean 'batch'"),
        ({"init": "hee"}, "^init must be one of"),
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        ResNet9(spec=spec(3, 32, 32), **{**SMALL, **value})


def test_the_smallest_image_is_one_pixel_after_all_pools():
    model = ResNet9(spec=spec(1, 8, 8), stem_pool=2, **SMALL)
    assert model.stages(model.stem(torch.randn(2, 1, 8, 8))).shape == (2, 4, 1, 1)
    with pytest.raises(ValueError, match=r"^ResNet9 needs images .* of at least 8 x 8 pixels, got .1, 7, 8."):
        ResNet9(spec=spec(1, 7, 8), stem_pool=2, **SMALL)
