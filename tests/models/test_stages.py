"""How a network is cut into stages."""

import pytest
import torch
from torch import nn
from torchvision import models

from dlcli.models.heads import head_name
from dlcli.models.stages import stages_of


def built(name: str) -> nn.Module:
    return models.get_model(name, weights=None, num_classes=3)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]),
        ("regnet_y_400mf", ["stem", *(f"trunk_output.block{number}" for number in range(1, 5)), "fc"]),
        ("mobilenet_v3_small", [*(f"features.{number}" for number in range(13)), "classifier", "classifier.3"]),
    ],
)
def test_known_networks_have_the_stages_of_their_papers(name: str, expected: list[str]) -> None:
    net = built(name)
    assert [stage.name for stage in stages_of(net, head_name(net))] == expected


@pytest.mark.parametrize("name", ["resnet18", "vit_b_32", "densenet121", "squeezenet1_1", "shufflenet_v2_x0_5", "swin_t"])
def test_each_parameter_lies_in_one_stage_and_the_head_is_last(name: str) -> None:
    net = built(name)
    stages = stages_of(net, head_name(net))
    assert sorted(p for stage in stages for p in stage.parameters) == sorted(name for name, _ in net.named_parameters())
    assert stages[-1].name == head_name(net)
    assert len(stages) >= 5


def test_a_norm_belongs_to_the_layer_that_it_follows() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2)
    )
    assert [stage.parameters for stage in stages_of(net, "5")] == [
        ("0.weight", "0.bias", "1.weight", "1.bias"),
        ("2.weight", "2.bias", "3.weight", "3.bias"),
        ("5.weight", "5.bias"),
    ]


def test_what_stands_before_the_first_module_belongs_to_the_first_stage() -> None:
    stages = stages_of(built("vit_b_32"), "heads.head")
    assert stages[0].parameters[0] == "class_token"
    assert [stage.name for stage in stages[1:-1]] == [f"encoder.layers.encoder_layer_{number}" for number in range(12)]


def test_a_network_that_is_all_head_has_one_stage() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assert [stage.name for stage in stages_of(net, "1")] == ["1"]


def test_a_head_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no module 'fc'"):
        stages_of(nn.Sequential(nn.Linear(2, 2)), "fc")


def test_stages_can_be_found_without_weights() -> None:
    with torch.device("meta"):
        net = built("resnet18")
    assert len(stages_of(net, "fc")) == 6
