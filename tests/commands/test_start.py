"""What finetuning starts from, and the network that it makes of it."""

from __future__ import annotations

import re

import pytest
import torch

from dlcli.classifier import Preprocessing
from dlcli.commands.console import Talk
from dlcli.commands.start import Start, at_side, find_start, name_of_run, network_for, sides_for, with_whole_path
from dlcli.config.compose import compose
from dlcli.config.schema import FinetuneSettings, checked_settings
from dlcli.contracts import DataSpec
from dlcli.errors import ConfigError, UsageError

TALK = Talk(quiet=True)


def settings(*overrides: str) -> FinetuneSettings:
    found = checked_settings("finetune", compose("finetune", list(overrides)))
    assert isinstance(found, FinetuneSettings)
    return found


def spec(side: int, channels: int = 3, kind: str = "image") -> DataSpec:
    shape = (channels, side, side) if kind == "image" else (side,)
    count = channels if kind == "image" else side
    return DataSpec(name="x", kind=kind, shape=shape, classes=("a", "b"), mean=(0.0,) * count, std=(1.0,) * count, epsilon={})


def untrained(name: str = "shufflenet_v2_x0_5") -> Start:
    """A backbone of random weights: nothing is fetched."""
    return find_start(settings(f"backbone={name}", "weights=none"), TALK)


@pytest.mark.parametrize(("side", "sides"), [(8, [96, 64]), (28, [96, 64]), (64, [96, 64]), (112, [112]), (400, [224])])
def test_small_images_are_enlarged_and_large_ones_keep_their_side_up_to_the_networks_own(side: int, sides: list[int]) -> None:
    assert sides_for(untrained(), spec(side)) == sides


def test_a_side_that_is_asked_for_is_the_only_one() -> None:
    assert sides_for(untrained(), spec(28), 72) == [72]


def test_a_vision_transformer_gets_its_own_side_and_no_other() -> None:
    start = untrained("vit_b_32")
    assert sides_for(start, spec(28)) == sides_for(start, spec(28), 224) == [224]
    with pytest.raises(UsageError, match=r"takes images of 224 x 224 px alone, with one learned .*; got size 96") as caught:
        sides_for(start, spec(28), 96)
    assert caught.value.hint.startswith("--size 224")


def test_whole_images_are_stretched_to_the_side_with_the_weights_own_statistics() -> None:
    published = Preprocessing((3, 224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), resize=256, interpolation="bicubic")
    own = at_side(published, 96)
    assert (own.shape, own.resize, own.interpolation, own.mean) == ((3, 96, 96), None, "bicubic", published.mean)
    assert own.fit(torch.rand(1, 3, 28, 40)).shape == (1, 3, 96, 96)


def test_grey_images_become_three_channels_inside_the_model() -> None:
    network = network_for(untrained(), spec(28, channels=1), settings("data=mnist"), side=32)
    grey = torch.rand(2, 1, 28, 28)
    logits = network.model.eval()(grey)
    assert logits.shape == (2, 2)
    assert torch.allclose(logits, network.model(grey.expand(-1, 3, -1, -1)), atol=1e-5)


@pytest.mark.parametrize("backbone", ["resnet18@IMAGENET1K_V1", "timm/plain", "pretrained:resnet18"])
def test_a_backbones_name_can_be_a_folder(backbone: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", name_of_run(backbone))


def test_weights_in_the_home_of_nobody_are_left_for_the_reader_to_refuse() -> None:
    own = settings("backbone=resnet18", "weights='~nobody-has-this-name/w.pth'")
    assert with_whole_path(own) == own


def test_the_head_of_a_backbone_is_always_new_and_of_the_datas_classes() -> None:
    network = network_for(untrained(), spec(28), settings(), side=32)
    assert network.head == "net.net.fc"
    assert network.model.get_submodule("net.net.fc").out_features == 2
    assert network.node["outputs"] is None


def test_the_stem_stays_the_published_one_also_for_small_images() -> None:
    network = network_for(untrained("resnet18"), spec(28), settings(), side=64)
    first = network.model.get_submodule("net.net.conv1")
    assert first.kernel_size == (7, 7)
    assert first.stride == (2, 2)


@pytest.mark.parametrize(
    ("data", "side", "said"),
    [
        (spec(5, kind="table"), None, "reads images, x holds tables"),
        (spec(28, channels=4), 32, "4 channels"),
        (spec(28), 8, "pixels"),
    ],
)
def test_data_that_a_backbone_cannot_read_are_refused(data: DataSpec, side: int | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        network_for(untrained("alexnet"), data, settings(), side=side)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["backbone=resnet18", "run=latest"], "exclude each other"),
        (["weights=none"], "weights=none belongs to a backbone"),
        (["size=64"], "size=64 belongs to a backbone"),
        (["backbone=resnet18", "labels=0"], "labels=0: expected 1 or more"),
        (["strategy.body_lr=0"], "strategy.body_lr=0"),
        (["strategy.body_lr=2"], "strategy.body_lr=2"),
        (["strategy.batch_norm=maybe"], "expected one of frozen, trained"),
        (["strategy.stage_epochs=0"], "strategy.stage_epochs=0: expected 1 or more"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings(*overrides)
