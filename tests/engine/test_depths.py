"""Looking into networks whose layers are known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.data.memory import MemorySplit
from dlcli.engine.depths import Depth, answers, depths_of, maximised, receptive_field, responses


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 5, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(5 * 16, 6),
        nn.ReLU(),
        nn.Linear(6, 4),
    )


IMAGES = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_depth_is_behind_activation_and_pooling_and_the_head_is_none():
    assert depths_of(network(), IMAGES) == [Depth("2", 0, (3, 4, 4)), Depth("4", 0, (5, 4, 4)), Depth("7", 0, (6,))]


def test_a_module_that_runs_twice_is_two_depths():
    relu = nn.ReLU()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), relu, nn.Linear(8, 8), relu, nn.Linear(8, 2))
    first, second = depths_of(model, IMAGES)
    assert (first.name, first.run, second.run) == ("2", 0, 1)
    expected = torch.relu(model[3](torch.relu(model[1](IMAGES.flatten(1)))))
    assert torch.equal(answers(model, IMAGES, second), expected)


def test_responses_are_the_maximum_of_each_map_and_its_place():
    model, split = network().eval(), MemorySplit(IMAGES, torch.arange(12) % 4)
    depth = depths_of(model, IMAGES)[1]
    maps = model[:5](IMAGES).detach()
    found = responses(model, split, depth, batch_size=5)
    assert torch.allclose(found.strongest, maps.flatten(2).amax(dim=2), atol=1e-6)
    assert torch.equal(found.places, maps.flatten(2).argmax(dim=2))
    assert found.features.shape == (12, 5 * 16)


def test_the_receptive_field_of_convolutions_is_the_textbooks():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 4, 3, padding=1), nn.Tanh(), nn.Flatten())
    model.append(nn.Linear(4 * 256, 2))
    images = torch.rand(2, 1, 16, 16)
    first, second = depths_of(model, images)
    assert receptive_field(model, images, first) == (3, 3)
    assert receptive_field(model, images, second) == (5, 5)


def test_a_layer_without_a_map_sees_the_whole_image():
    model = network()
    assert receptive_field(model, IMAGES, depths_of(model, IMAGES)[-1]) == (8, 8)


def test_a_linear_units_maximising_image_is_white_where_its_weights_are_positive():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.Linear(2, 2))
    (depth,) = depths_of(model, IMAGES)
    found = maximised(model, depth, torch.tensor([1, 0]), shape=(1, 8, 8), steps=60, jitter=0, seed=0)
    for picture, unit in zip(found, (1, 0), strict=True):
        assert torch.equal(picture.flatten() > 0.5, model[1].weight[unit].detach() > 0)


def test_maximising_repeats_raises_the_answer_and_leaves_the_model():
    model = network().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    depth = depths_of(model, IMAGES)[1]
    options = {"shape": (1, 8, 8), "jitter": 1, "seed": 3}
    start, end, again = (maximised(model, depth, torch.arange(3), steps=steps, **options) for steps in (0, 40, 40))
    assert torch.equal(end, again)
    assert float(end.min()) >= 0 and float(end.max()) <= 1
    mean = [answers(model, images, depth)[torch.arange(3), torch.arange(3)].detach().mean(dim=(1, 2)) for images in (start, end)]
    assert (mean[1] >= mean[0]).all() and (mean[1] > mean[0]).any()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training and all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_hooks_go_after_an_exception():
    model = network()
    with pytest.raises(RuntimeError):
        answers(model, torch.rand(1, 7, 8, 8), Depth("4", 0, (5, 4, 4)))
    assert not any(module._forward_hooks for module in model.modules())
