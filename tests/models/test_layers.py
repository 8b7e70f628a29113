import pytest
import torch
from torch import nn

from dlcli.models.layers import activation, conv_block, norm1d, norm2d

INPUTS = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], dtype=torch.float64)
FORMULAS = {
    "relu": lambda x: x.clamp(min=0),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)),
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "tanh": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_an_activation_is_its_formula(name):
    assert torch.allclose(activation(name)(INPUTS), FORMULAS[name](INPUTS))


@pytest.mark.parametrize("name", FORMULAS)
def test_an_activation_leaves_its_input_as_it_was(name):
    inputs = INPUTS.clone()
    activation(name)(inputs)
    assert torch.equal(inputs, INPUTS)


def test_a_misspelt_activation_is_answered_with_the_near_ones():
    with pytest.raises(ValueError, match=r"activation must be one of relu, .*, got 'rellu'; did you mean 'relu' or"):
        activation("rellu")


@pytest.mark.parametrize("make", [norm1d, norm2d])
def test_a_misspelt_norm_is_answered_with_the_near_one(make):
    with pytest.raises(ValueError, match="norm must be one of batch, group, layer, none, got 'bach'; did you mean 'batch'"):
        make("bach", 4)


def moments(values: torch.Tensor, dim: tuple[int, ...]) -> tuple[float, float]:
    """The largest absolute mean, and the largest deviation of the standard deviation from 1."""
    return values.mean(dim).abs().max().item(), (values.std(dim, correction=0) - 1).abs().max().item()


@pytest.mark.parametrize(("name", "dim"), [("batch", (0, 2, 3)), ("layer", (1, 2, 3))])
def test_a_norm_of_maps_standardises_over_its_own_dimensions(name, dim):
    maps = torch.randn(16, 6, 9, 9, generator=torch.Generator().manual_seed(0)) * 3 + 5
    assert max(moments(norm2d(name, 6)(maps), dim)) < 1e-4


@pytest.mark.parametrize(("channels", "groups"), [(16, 8), (12, 4), (7, 1)])
def test_group_norm_standardises_up_to_eight_groups_that_divide_the_channels(channels, groups):
    maps = torch.randn(4, channels, 9, 9, generator=torch.Generator().manual_seed(0)) * 3 + 5
    grouped = norm2d("group", channels)(maps).reshape(4, groups, -1)
    assert max(moments(grouped, (2,))) < 1e-4


@pytest.mark.parametrize(("name", "dim"), [("batch", (0,)), ("layer", (1,))])
def test_a_norm_of_vectors_standardises_over_its_own_dimension(name, dim):
    vectors = torch.randn(64, 32, generator=torch.Generator().manual_seed(0)) * 3 + 5
    assert max(moments(norm1d(name, 32)(vectors), dim)) < 1e-4


def test_group_norm_of_vectors_standardises_each_group():
    vectors = torch.randn(4, 32, generator=torch.Generator().manual_seed(0)) * 3 + 5
    assert max(moments(norm1d("group", 32)(vectors).reshape(4, 8, 4), (2,))) < 1e-3


@pytest.mark.parametrize("make", [norm1d, norm2d])
def test_no_norm_changes_nothing_and_holds_no_parameters(make):
    layer = make("none", 4)
    assert isinstance(layer, nn.Identity)


@pytest.mark.parametrize(("make", "shape"), [(norm1d, (8, 3)), (norm2d, (8, 3, 2, 2))])
def test_momentum_is_the_share_of_the_newest_batch_in_the_running_mean(make, shape):
    layer = make("batch", 3, momentum=0.4)
    layer(torch.ones(shape) * 5)
    assert layer.running_mean.tolist() == pytest.approx([2.0] * 3)


def test_a_conv_block_is_convolution_pool_norm_activation():
    block, inputs = (
        conv_block(3, 5, kernel_size=5, stride=2, pool=2, activation="gelu", norm_momentum=0.3),
        torch.randn(4, 3, 17, 17),
    )
    assert (block.conv.padding, block.conv.bias, block.norm.momentum) == ((2, 2), None, 0.3)
    pooled = nn.functional.max_pool2d(nn.functional.conv2d(inputs, block.conv.weight, stride=2, padding=2), 2)
    expected = nn.functional.gelu(nn.functional.batch_norm(pooled, None, None, training=True))
    assert torch.allclose(block(inputs), expected, atol=1e-5)


def test_a_conv_block_without_norm_has_a_bias():
    assert conv_block(3, 5, norm="none").conv.bias is not None
