"""Losses over weight space: directions of the right length, ends that are what they were, and a model that stays."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.contracts import Batch
from dlcli.engine.gradient_flow import example_losses
from dlcli.engine.landscape import between, filter_normalised, heights, moved, plane, state_of, weights_of


def network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(12, 4))
    nn.init.uniform_(model[1].running_mean, -0.1, 0.1)
    return model.train()


def batches() -> list[Batch]:
    inputs = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    targets, index = torch.arange(10) % 4, torch.arange(10)
    return [Batch(inputs[rows], targets[rows], index[rows]) for rows in (slice(0, 6), slice(6, 10))]


def direct(model: nn.Module) -> float:
    model.eval()
    with torch.no_grad():
        return float(torch.cat([example_losses(model(part.inputs), part.targets) for part in batches()]).double().mean())


def test_every_filter_of_a_direction_is_as_long_as_the_networks_own():
    weights = weights_of(network())
    direction = filter_normalised(weights, seed=0, number=0)
    for name, weight in weights.items():
        if weight.ndim < 2:
            assert not direction[name].any(), name
            continue
        assert torch.allclose(direction[name].flatten(1).norm(dim=1), weight.flatten(1).norm(dim=1), rtol=1e-5)


def test_scaling_a_network_scales_its_directions():
    weights = weights_of(network())
    double = {name: 2 * tensor for name, tensor in weights.items()}
    first, second = filter_normalised(weights, seed=0, number=0), filter_normalised(double, seed=0, number=0)
    assert all(torch.allclose(2 * first[name], second[name], rtol=1e-5) for name in weights)


def test_directions_repeat_by_seed_and_number_and_differ_otherwise():
    weights = weights_of(network())
    first = filter_normalised(weights, seed=0, number=0)["0.weight"]
    assert torch.equal(first, filter_normalised(weights, seed=0, number=0)["0.weight"])
    for seed, number in ((0, 1), (1, 0)):
        assert not torch.allclose(first, filter_normalised(weights, seed=seed, number=number)["0.weight"])


def test_a_filter_of_zeros_does_not_move():
    direction = filter_normalised({"weight": torch.zeros(2, 3)}, seed=0, number=0)
    assert not direction["weight"].any()


def test_the_ends_of_an_interpolation_have_the_losses_of_their_networks():
    first, last = network(), network()
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.add_(0.3)
        last[1].running_var.mul_(3)
    expected = [direct(first), direct(last)]
    points = [between(state_of(first), state_of(last), share) for share in (0.0, 1.0)]
    assert heights(last, batches(), points).losses.tolist() == pytest.approx(expected, rel=1e-6)


def test_the_middle_of_a_plane_is_the_network_itself():
    model = network()
    expected, center = direct(model), weights_of(model)
    directions = tuple(filter_normalised(center, seed=0, number=number) for number in (0, 1))
    side = torch.tensor([-0.5, 0.0, 0.5], dtype=torch.float64)
    found = plane(model, batches(), center, directions, x=side, y=side)
    assert float(found.losses[1, 1]) == pytest.approx(expected, rel=1e-6)
    corner = heights(model, batches(), [moved(center, directions, (0.5, -0.5))]).losses
    assert float(found.losses[0, 2]) == pytest.approx(float(corner), rel=1e-6)


def test_accuracy_is_the_share_of_right_answers():
    model = network().eval()
    hits = sum(int((model(part.inputs).argmax(dim=1) == part.targets).sum()) for part in batches())
    assert float(heights(model, batches(), [weights_of(model)]).accuracies) == hits / 10


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_keeps_its_bits_and_its_mode(fails):
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    calls = []

    def check() -> None:
        calls.append(1)
        if fails and len(calls) == 2:
            raise KeyboardInterrupt

    points = [moved(weights_of(model), [weights_of(model)], [far]) for far in (1.0, 2.0)]
    try:
        heights(model, batches(), points, check=check)
    except KeyboardInterrupt:
        assert fails
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training and model[1].training
    assert len(calls) == 2
