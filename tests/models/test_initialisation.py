import math

import pytest
import torch
from torch import Tensor, nn

from dlcli.models.initialisation import initialise

# One wide linear layer and one convolution: n_in 300 and 8 * 9, n_out 500 and 50 * 9.
FANS = {"linear": (300, 500), "conv": (72, 450)}


def network() -> nn.ModuleDict:
    return nn.ModuleDict({"linear": nn.Linear(300, 500), "conv": nn.Conv2d(8, 50, 3), "norm": nn.BatchNorm2d(8)})


def initialised(scheme: str, seed: int = 0) -> nn.ModuleDict:
    torch.manual_seed(seed)
    model = network()
    initialise(model, scheme)
    return model


def relative_error(found: Tensor, expected: float) -> float:
    return abs(found.item() / expected - 1)


@pytest.mark.parametrize("name", FANS)
def test_he_has_variance_two_over_fan_in(name):
    assert relative_error(initialised("he")[name].weight.var(), 2 / FANS[name][0]) < 0.05


@pytest.mark.parametrize("name", FANS)
def test_xavier_is_uniform_with_glorots_bound(name):
    weight, bound = initialised("xavier")[name].weight, math.sqrt(6 / sum(FANS[name]))
    assert relative_error(weight.abs().max(), bound) < 0.01
    assert weight.abs().max() <= bound
    assert relative_error(weight.var(), bound**2 / 3) < 0.05


@pytest.mark.parametrize("name", FANS)
def test_orthogonal_rows_or_columns_are_orthonormal(name):
    weight = initialised("orthogonal")[name].weight.flatten(1)
    short = weight if len(weight) <= weight.shape[1] else weight.T
    assert torch.allclose(short @ short.T, torch.eye(len(short)), atol=1e-5)


@pytest.mark.parametrize(("scheme", "deviation"), [("normal_small", 0.01), ("normal_large", 1.0)])
@pytest.mark.parametrize("name", FANS)
def test_normals_have_one_deviation_whatever_the_size(scheme, deviation, name):
    assert relative_error(initialised(scheme)[name].weight.std(), deviation) < 0.05


def test_zeros_are_zero():
    assert not any(initialised("zeros")[name].weight.any() for name in FANS)


@pytest.mark.parametrize("scheme", ["he", "xavier", "orthogonal", "normal_small", "normal_large", "zeros"])
def test_biases_become_zero_and_norms_stay(scheme):
    model = initialised(scheme)
    assert not any(model[name].bias.any() for name in FANS)
    assert torch.equal(model["norm"].weight, torch.ones(8))


def test_the_default_changes_nothing_and_draws_nothing():
    torch.manual_seed(3)
    before = network()
    torch.manual_seed(3)
    after = network()
    state = torch.get_rng_state()
    initialise(after, "default")
    assert all(torch.equal(one, other) for one, other in zip(before.parameters(), after.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_scheme_is_repeated_by_the_seed():
    first, again, other = (initialised("he", seed)["linear"].weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("scheme", ["he", "orthogonal", "zeros"])
def test_weights_that_take_no_memory_are_left_alone(scheme):
    with torch.device("meta"):
        model = network()
    initialise(model, scheme)
    assert model["linear"].weight.is_meta


def deviations(scheme: str, activation: nn.Module) -> list[float]:
    """The standard deviation of the signal after each of ten layers of 256 units."""
    torch.manual_seed(0)
    signal, found = torch.randn(512, 256), []
    for _ in range(10):
        layer = nn.Linear(256, 256)
        initialise(layer, scheme)
        signal = activation(layer(signal))
        found.append(signal.std().item())
    return found


def test_he_keeps_the_signal_through_ten_relu_layers_and_small_weights_lose_it():
    kept, lost = deviations("he", nn.ReLU()), deviations("normal_small", nn.ReLU())
    assert 0.5 < kept[-1] / kept[0] < 2
    assert lost[-1] < 1e-6


def test_orthogonal_weights_keep_the_length_of_a_signal_exactly_through_linear_layers():
    assert deviations("orthogonal", nn.Identity())[-1] == pytest.approx(deviations("orthogonal", nn.Identity())[0], rel=1e-3)


def test_a_misspelt_scheme_is_answered_with_the_near_one():
    with pytest.raises(ValueError, match=r"init must be one of default, he, .*, got 'xavir'; did you mean 'xavier'"):
        initialise(nn.Linear(2, 2), "xavir")
