"""Parameter groups, and the optimizers that take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from dlcli.optim.groups import parameter_groups

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "optimizer").glob("*.yaml"))


def names(groups: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {group["name"]: [name for name, _ in group["params"]] for group in groups}


def small_net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))


def test_weights_are_decayed_and_norms_and_biases_are_not() -> None:
    assert names(parameter_groups(small_net())) == {
        "decay": ["0.weight", "3.weight"],
        "no_decay": ["0.bias", "1.weight", "1.bias", "3.bias"],
    }


def test_a_norm_with_a_matrix_of_scales_is_not_decayed() -> None:
    assert names(parameter_groups(nn.LayerNorm([4, 4]))) == {"no_decay": ["weight", "bias"]}


def test_a_bias_with_several_dimensions_is_not_decayed() -> None:
    model = nn.Module()
    model.register_parameter("position_bias", nn.Parameter(torch.zeros(2, 2)))
    assert names(parameter_groups(model)) == {"no_decay": ["position_bias"]}


def test_the_no_decay_group_says_so() -> None:
    assert [group.get("weight_decay") for group in parameter_groups(small_net())] == [None, 0.0]


def test_frozen_parameters_and_empty_groups_are_left_out() -> None:
    model = small_net()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model[3].weight.requires_grad_(True)
    assert names(parameter_groups(model)) == {"decay": ["3.weight"]}


def test_a_shared_weight_appears_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    assert names(parameter_groups(model)) == {"decay": ["0.weight"]}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_optimizer_yaml_builds_with_these_groups_and_lowers_a_loss(path: Path) -> None:
    settings = yaml.safe_load(path.read_text())
    target = settings.pop("_target_").rpartition(".")[2]
    torch.manual_seed(0)
    model, inputs = small_net(), torch.rand(8, 1, 4, 4)
    optimizer = getattr(torch.optim, target)(parameter_groups(model), **settings)
    losses = []
    for _ in range(10):
        loss = nn.functional.cross_entropy(model(inputs), torch.arange(8) % 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [settings["weight_decay"], 0.0]
    assert optimizer.param_groups[0]["param_names"] == ["0.weight", "3.weight"]
