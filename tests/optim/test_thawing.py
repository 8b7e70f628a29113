"""What is trained at which step."""

import torch
from torch import nn

from dlcli.optim.thawing import Thawing


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2)).train()


def trained(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


BEGINS = {"4.weight": 0, "4.bias": 0, "2.weight": 3, "2.bias": 3, "3.weight": 3, "3.bias": 3}


def test_a_parameter_is_trained_from_its_step_on_and_an_unnamed_one_never() -> None:
    model, thaw = net(), Thawing(begins=BEGINS, keep_statistics=False)
    thaw(model, 2)
    assert trained(model) == {"4.weight", "4.bias"}
    thaw(model, 3)
    assert trained(model) == set(BEGINS)


def test_an_earlier_step_freezes_again_so_only_the_step_matters() -> None:
    model, thaw = net(), Thawing(begins=BEGINS, keep_statistics=False)
    thaw(model, 9)
    thaw(model, 0)
    assert trained(model) == {"4.weight", "4.bias"}


def test_a_frozen_batch_norm_keeps_its_statistics() -> None:
    model = net()
    Thawing(begins=BEGINS, keep_statistics=False)(model, 3)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model(torch.randn(8, 2) * 5 + 3)
    changed = {name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name])}
    assert changed == {"3.running_mean", "3.running_var", "3.num_batches_tracked"}


def test_all_batch_norms_keep_their_statistics_on_demand() -> None:
    model = net()
    Thawing(begins=BEGINS, keep_statistics=True)(model, 3)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model(torch.randn(8, 2) * 5 + 3)
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert "3.weight" in trained(model)
