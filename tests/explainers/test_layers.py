"""Finding the layer to explain, by families of networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from dlcli.errors import UsageError
from dlcli.explainers.layers import layer_named, layer_names, layer_table, spatial_layer, unwrapped

IMAGES = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
HEAD = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))


class Shortcut(nn.Module):
    """A residual block that uses its activation twice, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm, self.relu = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        return self.relu(self.norm(self.relu(self.convolution(maps))) + maps)


class Whole(nn.Module):
    """A classifier around a net, as the runner's own."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor) -> Tensor:
        return self.net(inputs - 0.5)


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def stage(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), *layers, *HEAD)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (stage(), "0"),
        (stage(nn.BatchNorm2d(3), nn.ReLU()), "2"),
        (stage(nn.ReLU(), nn.MaxPool2d(2)), "1"),
        (stage(nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.ReLU()), "0"),
        (stage(nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 3, 3, padding=1), nn.GELU()), "4"),
        (nn.Sequential(nn.Sequential(nn.Conv2d(1, 3, 3), nn.Sequential(nn.ReLU())), *HEAD), "0.1.0"),
        (stage(Shortcut()), "1"),
        (Whole(stage(nn.ReLU())), "net.1"),
        (nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 2)), "0"),
    ],
    ids=[
        "conv",
        "conv-norm-act",
        "conv-act-pool",
        "conv-pool-norm-act",
        "two stages",
        "nested",
        "residual",
        "wrapped",
        "no conv",
    ],
)
def test_the_layer_is_the_last_one_with_maps_as_large_as_the_last_convolutions(model: nn.Module, expected: str) -> None:
    name, module = spatial_layer(model, IMAGES)
    assert name == expected
    assert module is layer_named(model, name)


def test_a_convolution_whose_map_is_one_pixel_is_passed_over() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 6), *HEAD)
    assert spatial_layer(model, IMAGES)[0] == "1"


def test_a_layer_that_runs_twice_is_passed_over() -> None:
    shared = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(1, 3, 3), shared, nn.Conv2d(3, 3, 3), shared, *HEAD)
    assert spatial_layer(model, IMAGES)[0] == "2"


@pytest.mark.parametrize(
    ("model", "inputs"),
    [(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), IMAGES), (nn.Linear(4, 2), torch.rand(2, 4))],
    ids=["images", "table"],
)
def test_a_model_without_a_spatial_map_is_refused_and_told_what_fits(model: nn.Module, inputs: Tensor) -> None:
    with pytest.raises(UsageError, match="needs a layer with a spatial map; this model has none") as caught:
        spatial_layer(model, inputs)
    assert caught.value.hint == "dl explain saliency"


def test_no_hook_outlives_the_search_also_when_the_model_breaks() -> None:
    model = stage(nn.BatchNorm2d(3))
    spatial_layer(model, IMAGES)
    assert hooks(model) == 0
    with pytest.raises(RuntimeError):
        spatial_layer(model, torch.rand(1, 5, 8, 8))
    assert hooks(model) == 0


def test_an_unknown_layer_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(ValueError, match=r"got 'net\.00'; did you mean 'net\.0'"):
        layer_named(Whole(stage()), "net.00")


def test_the_names_are_those_of_all_modules_inside() -> None:
    assert layer_names(Whole(nn.Sequential(nn.ReLU()))) == ["net", "net.0"]


def compiled(model: nn.Module) -> Any:
    return torch.compile(model, backend="eager")


@pytest.mark.parametrize("wrap", [compiled, nn.DataParallel])
def test_a_wrapped_model_has_the_names_of_the_model_inside(wrap: Any) -> None:
    model = Whole(stage(nn.ReLU()))
    assert unwrapped(wrap(model)) is model
    assert layer_names(wrap(model)) == layer_names(model)


def test_a_model_with_a_compiled_part_that_has_already_run_is_searched_all_the_same() -> None:
    model = Whole(compiled(stage(nn.ReLU()))).eval().requires_grad_(False)
    with torch.no_grad():
        model(IMAGES[:1])
    assert spatial_layer(model, IMAGES)[0] == "net.1"
    assert "net.1" in layer_names(model)


@pytest.mark.parametrize(
    ("name", "side", "expected"),
    [
        ("resnet18", 64, "layer4.1"),
        ("regnet_y_400mf", 64, "trunk_output.block4.block4-5"),
        ("vgg11", 64, "features.19"),
        ("vgg11_bn", 64, "features.27"),
        ("alexnet", 96, "features.11"),
        ("densenet121", 64, "features.norm5"),
        ("mobilenet_v2", 64, "features.18.2"),
        ("mobilenet_v3_small", 64, "features.12.2"),
        ("efficientnet_b0", 64, "features.8.2"),
        ("convnext_tiny", 64, "features.7.2"),
        ("mnasnet0_5", 64, "layers.16"),
        ("inception_v3", 128, "Mixed_7c"),
        ("googlenet", 96, "inception5b"),
        ("shufflenet_v2_x0_5", 64, "conv5.2"),
        ("squeezenet1_1", 64, "classifier.2"),
        ("maxvit_t", 224, "blocks.3"),
        ("swin_t", 64, "features.7.1.norm2"),
        ("vit_b_32", 224, "encoder.layers.encoder_layer_11.ln_1"),
    ],
)
def test_every_family_of_torchvision_has_its_layer(name: str, side: int, expected: str) -> None:
    own: dict[str, Any] = {"init_weights": False} if name in {"inception_v3", "googlenet"} else {}
    model = getattr(models, name)(weights=None, **own).eval()
    assert spatial_layer(model, torch.rand(1, 3, side, side))[0] == expected


def test_the_table_of_layers_says_what_can_be_explained() -> None:
    rows = {row.name: row for row in layer_table(stage(nn.ReLU(), nn.MaxPool2d(2)), IMAGES)}
    assert (rows["0"].kind, rows["0"].shape, rows["0"].usable) == ("Conv2d", (3, 8, 8), True)
    assert (rows["2"].shape, rows["2"].usable) == ((3, 4, 4), True)
    assert (rows["5"].kind, rows["5"].shape, rows["5"].usable) == ("Linear", (2,), False)


def test_a_layer_that_runs_twice_is_listed_as_not_usable() -> None:
    shared = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(1, 3, 3), shared, nn.Conv2d(3, 3, 3), shared, *HEAD)
    assert not next(row for row in layer_table(model, IMAGES) if row.kind == "ReLU").usable
