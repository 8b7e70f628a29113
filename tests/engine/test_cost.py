"""Measuring what an example costs changes nothing."""

import torch
from torch import nn

from dlcli.data.memory import MemorySplit
from dlcli.engine.cost import measure_cost

CPU = torch.device("cpu")


def split(count: int = 8) -> MemorySplit:
    return MemorySplit(torch.rand(count, 3, 16, 16), torch.zeros(count, dtype=torch.int64))


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Dropout(), nn.Linear(8 * 14 * 14, 2))


def test_training_costs_more_than_inference_and_both_cost_something() -> None:
    cost = measure_cost(nn.Sequential(net(), nn.Linear(2, 2)), split(32), batch_size=32, precision="fp32", device=CPU)
    assert 0 < cost.infer < cost.train


def test_the_model_and_the_random_numbers_are_given_back() -> None:
    model = net().eval()
    model[0].weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    examples = split()
    torch.manual_seed(3)
    measure_cost(model, examples, batch_size=4, precision="fp32", device=CPU)
    drawn = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not model.training
    assert not model[0].weight.requires_grad
    assert model[4].weight.requires_grad
    assert model[4].weight.grad is None


def test_a_single_example_can_be_measured() -> None:
    assert measure_cost(net(), split(1), batch_size=4, precision="fp32", device=CPU).train > 0
