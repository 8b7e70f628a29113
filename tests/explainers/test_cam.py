"""Several class activation maps of one pass, beside an independent library, and on a patch that is known to matter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.explainers.ablationcam import AblationCAM
from dlcli.explainers.cam import GradientCAM, together
from dlcli.explainers.eigencam import EigenCAM
from dlcli.explainers.gradcam import GradCAM
from dlcli.explainers.gradcam_pp import GradCAMPlusPlus
from dlcli.explainers.hirescam import HiResCAM
from dlcli.explainers.layercam import LayerCAM
from dlcli.explainers.scorecam import ScoreCAM
from dlcli.explainers.xgradcam import XGradCAM

IMAGES = torch.rand(3, 3, 12, 10, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 3, 2])
FAMILY: dict[str, type[GradientCAM]] = {
    "GradCAM": GradCAM,
    "GradCAMPlusPlus": GradCAMPlusPlus,
    "HiResCAM": HiResCAM,
    "LayerCAM": LayerCAM,
    "XGradCAM": XGradCAM,
    "EigenCAM": EigenCAM,
}


def net() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 6, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(6 * 6 * 5, 4),
    ).eval()  # fmt: skip


def test_maps_of_one_layer_share_one_pass_and_are_those_of_each_alone() -> None:
    model, passes = net(), []
    model.register_forward_hook(lambda *arguments: passes.append(1))
    explainers = {name: made(layer="4") for name, made in FAMILY.items()}
    found = together(explainers, model, IMAGES, TARGETS)
    assert len(passes) == 1
    for name, explainer in explainers.items():
        assert torch.equal(found[name], explainer(model, IMAGES, TARGETS))


def test_layers_may_differ() -> None:
    found = together({"early": GradCAM(layer="1"), "late": GradCAM(layer="4")}, net(), IMAGES, TARGETS)
    assert torch.equal(found["early"], GradCAM(layer="1")(net(), IMAGES, TARGETS))
    assert torch.equal(found["late"], GradCAM(layer="4")(net(), IMAGES, TARGETS))


def normalised(maps: Tensor) -> Tensor:
    low = maps.amin(dim=(1, 2), keepdim=True)
    return (maps - low) / (maps.amax(dim=(1, 2), keepdim=True) - low + 1e-7)


@pytest.mark.parametrize("name", [*FAMILY, "ScoreCAM"])
def test_the_maps_are_those_of_an_independent_library(name: str) -> None:
    theirs = pytest.importorskip("pytorch_grad_cam", reason="the package grad-cam is not at hand")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = net()
    with torch.no_grad():  # theirs adds 1e-7 below the line, which must not count
        model[0].weight.mul_(100)
        model[6].weight.mul_(100)
    cam = getattr(theirs, name)(model=model, target_layers=[model[4]])
    expected = torch.tensor(cam(input_tensor=IMAGES, targets=[ClassifierOutputTarget(int(target)) for target in TARGETS]))
    ours: Any = ScoreCAM(layer="4") if name == "ScoreCAM" else FAMILY[name](layer="4")
    maps = normalised(ours(model, IMAGES, TARGETS))
    if name == "EigenCAM":  # whose sign is open: theirs keeps the side that the decomposition happens to give
        same = (maps - expected).abs().amax(dim=(1, 2)) <= 1e-4
        assert same.any()
        return
    assert (maps - expected).abs().max() <= 1e-5


# Eigen-CAM asks for no class, so it points at whatever maps have in common.
@pytest.mark.parametrize("made", [*(made for made in FAMILY.values() if made is not EigenCAM), ScoreCAM, AblationCAM])
def test_the_maps_point_at_a_planted_patch(made: Any, planted: Any) -> None:
    maps = made()(planted.model, planted.images, torch.ones(100, dtype=torch.long))
    assert planted.share_found(maps) >= 0.95


@pytest.mark.parametrize("made", [*FAMILY.values(), ScoreCAM, AblationCAM])
def test_a_layer_of_words_is_seen_as_the_maps_that_it_holds(made: Any) -> None:
    class Words(nn.Module):
        """Maps as words behind a class token that goes on with them."""

        def __init__(self, norm: bool) -> None:
            super().__init__()
            self.norm: nn.Module = nn.LayerNorm(5, elementwise_affine=False) if norm else nn.Identity()

        def forward(self, maps: Tensor) -> Tensor:
            words = torch.cat([maps.new_zeros(len(maps), 1, maps.shape[1]), maps.flatten(2).transpose(1, 2)], dim=1)
            return self.norm(words)[:, 1:].transpose(1, 2).reshape(maps.shape)

    torch.manual_seed(0)
    convolution, head = nn.Conv2d(3, 5, 3, padding=1), nn.Linear(5 * 12 * 10, 4)
    model = nn.Sequential(convolution, Words(norm=True), nn.Flatten(), head).eval()
    by_words, by_maps = made(layer="1.norm")(model, IMAGES, TARGETS), made(layer="1")(model, IMAGES, TARGETS)
    assert torch.allclose(by_words, by_maps, atol=1e-6)
    assert by_maps.any()
