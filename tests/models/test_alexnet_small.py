import itertools

import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.alexnet_small import AlexNetSmall
from dlcli.models.heads import head_name


def spec(*shape: int) -> DataSpec:
    channels = shape[0]
    names = tuple("0123456789")
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * channels, std=(1.0,) * channels, epsilon={})


SMALL = {"widths": [4, 4, 4, 4, 4], "hidden": [8]}


def test_its_parameters_are_those_of_its_layers():
    widths, kernels, hidden = [3, 48, 128, 192, 192, 128], [5, 3, 3, 3, 3], [128 * 16, 1024, 1024, 10]
    convolutions = sum((one * kernel**2 + 1) * two for one, two, kernel in zip(widths[:-1], widths[1:], kernels, strict=True))
    linear = sum((one + 1) * two for one, two in itertools.pairwise(hidden))
    model = AlexNetSmall(spec=spec(3, 32, 32))
    assert sum(parameter.numel() for parameter in model.parameters()) == convolutions + linear == 3_991_754


def test_the_last_maps_of_32_pixels_are_4_by_4_and_are_not_pooled_again():
    model, inputs = AlexNetSmall(spec=spec(3, 32, 32)), torch.randn(2, 3, 32, 32)
    maps = model.features(inputs)
    assert maps.shape == (2, 128, 4, 4)
    assert torch.equal(model.pool(maps), maps)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 9, 40), (3, 224, 224)])
def test_any_image_from_8_by_8_gives_logits(shape):
    assert AlexNetSmall(spec=spec(*shape), **SMALL)(torch.randn(2, *shape)).shape == (2, 10)


def test_local_response_normalisation_is_the_papers_formula():
    model = AlexNetSmall(spec=spec(3, 8, 8), norm="local", **SMALL)
    layers = [module for module in model.modules() if isinstance(module, nn.LocalResponseNorm)]
    assert len(layers) == 2
    maps = torch.rand(1, 9, 1, 1) * 50
    # b_i = a_i / (k + alpha Σ a_j²)^beta over n = 5 neighbouring channels, with k = 2, alpha = 1e-4, beta = 0.75.
    sums = [maps[0, max(0, i - 2) : i + 3].square().sum() for i in range(9)]
    expected = torch.stack([maps[0, i, 0, 0] / (2 + 1e-4 * sums[i]) ** 0.75 for i in range(9)])
    assert torch.allclose(layers[0](maps).flatten(), expected, rtol=1e-5)


def test_batch_normalisation_stands_in_for_the_biases():
    model = AlexNetSmall(spec=spec(3, 8, 8), norm="batch", **SMALL)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model.modules()) == 5
    assert all(module.bias is None for module in model.modules() if isinstance(module, nn.Conv2d))


def test_dropout_acts_in_training_only():
    model, inputs = AlexNetSmall(spec=spec(3, 8, 8), **SMALL), torch.randn(4, 3, 8, 8)
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def test_the_head_is_the_linear_layer_named_head():
    assert head_name(AlexNetSmall(spec=spec(3, 8, 8), **SMALL)) == "head"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"widths": [8, 8]}, r"^widths must hold 5 numbers of at least 1, got \[8, 8\]"),
        ({"hidden": [0]}, r"^hidden must hold numbers of at least 1, got \[0\]"),
        ({"norm": "layer"}, "^norm must be none, local or batch, got 'layer'"),
        ({"dropout": 1.5}, r"^dropout must be in \[0, 1\), got 1.5"),
        ({"activation": "rellu"}, "^activation must be one of"),
        ({"init": "hee"}, "^init must be one of"),
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        AlexNetSmall(spec=spec(3, 32, 32), **{**SMALL, **value})


def test_tiny_images_are_refused():
    with pytest.raises(ValueError, match=r"^AlexNetSmall needs images .* of at least 8 x 8 pixels"):
        AlexNetSmall(spec=spec(3, 7, 32))
