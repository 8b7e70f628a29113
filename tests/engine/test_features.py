"""Features: what goes into a head."""

import pytest
import torch
from torch import nn

from dlcli.data.memory import MemorySplit
from dlcli.engine.features import features_of


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Dropout(0.5), nn.Linear(3, 2))


def split(count: int = 7) -> MemorySplit:
    return MemorySplit(torch.rand(count, 1, 2, 2), torch.arange(count) % 2, index=torch.arange(count) + 10)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_head_makes_the_models_logits_of_them(batch_size: int) -> None:
    model, examples = net(), split()
    found = features_of(model, model[5], examples, batch_size=batch_size)
    assert torch.allclose(model[5](found.inputs), model.eval()(examples.inputs), atol=1e-6)
    assert found.targets.tolist() == examples.targets.tolist()
    assert found.index.tolist() == list(range(10, 17))


def test_the_model_comes_back_as_it_was_and_without_hooks() -> None:
    model = net().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    features_of(model, model[5], split(), batch_size=4)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not model[5]._forward_pre_hooks


def test_features_can_be_trained_on() -> None:
    model = net()
    found = features_of(model, model[5], split(), batch_size=4)
    model[5](found.inputs).sum().backward()
    assert model[5].weight.grad is not None


def test_what_is_told_may_stop_it_and_the_hook_is_gone() -> None:
    model, seen = net(), []

    def tell(done: int) -> None:
        seen.append(done)
        if done > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        features_of(model, model[5], split(), batch_size=3, tell=tell)
    assert seen == [3, 6]
    assert not model[5]._forward_pre_hooks


def test_a_head_that_something_follows_is_refused() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU())
    with pytest.raises(ValueError, match="not what its last layer, Linear"):
        features_of(model, model[1], split(), batch_size=4)


def test_a_head_that_runs_on_maps_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="not what its last layer, Conv2d"):
        features_of(model, model[0], split(), batch_size=4)
