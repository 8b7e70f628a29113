"""Grad-CAM by hand, and against captum."""

from __future__ import annotations

import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from dlcli.errors import UsageError
from dlcli.explainers.gradcam import GradCAM

IMAGES = torch.rand(4, 3, 8, 6, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 3, 2, 3])


def small_net(*, inplace: bool = False) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1),
        nn.BatchNorm2d(5),
        nn.ReLU(inplace=inplace),
        nn.Conv2d(5, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=inplace),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 4 * 3, 4),
    ).eval()


class Sum(nn.Module):
    """Two maps, the input and its negative, weighted and summed into one binary logit."""

    def __init__(self, weights: tuple[float, float]) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, 2, 1, bias=False)
        self.maps.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
        self.weights = torch.tensor(weights).reshape(1, 2, 1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        return (self.weights * self.maps(inputs)).sum(dim=(1, 2, 3))[:, None]


SQUARE = torch.tensor([[[[0.1, 0.2], [0.3, 0.4]]]])


def test_by_hand_two_maps_of_two_by_two_are_weighted_by_their_mean_gradient() -> None:
    # alpha = (3, 1), A = (x, -x), so the map is relu(3x - x) = 2x; it has the input's size already.
    assert torch.allclose(GradCAM()(Sum((3.0, 1.0)), SQUARE, torch.tensor([1])), 2 * SQUARE[:, 0])


def test_for_class_zero_of_a_binary_logit_the_sign_is_turned() -> None:
    assert torch.equal(GradCAM()(Sum((3.0, 1.0)), SQUARE, torch.tensor([0])), torch.zeros(1, 2, 2))
    assert torch.allclose(GradCAM()(Sum((1.0, 3.0)), SQUARE, torch.tensor([0])), 2 * SQUARE[:, 0])


@pytest.mark.parametrize("layer", ["0", "1", "2", "3", "4", "5", "6"])
def test_at_every_layer_it_is_captums(layer: str) -> None:
    model = small_net()
    theirs = LayerGradCam(model, model[int(layer)]).attribute(IMAGES, target=TARGETS, relu_attributions=True).detach()
    expected = nn.functional.interpolate(theirs, size=(8, 6), mode="bilinear", align_corners=False)[:, 0]
    ours = GradCAM(layer=layer)(model, IMAGES, TARGETS)
    assert expected.max() > 0
    assert (ours - expected).abs().max() <= 1e-6 * expected.max()


@pytest.mark.parametrize("layer", ["1", "4"])
def test_an_in_place_activation_after_the_layer_does_not_corrupt_the_map(layer: str) -> None:
    explainer = GradCAM(layer=layer)
    assert torch.equal(explainer(small_net(inplace=True), IMAGES, TARGETS), explainer(small_net(), IMAGES, TARGETS))


def test_what_comes_before_the_layer_keeps_no_graph() -> None:
    model, seen = small_net(), []
    handle = model[2].register_forward_hook(lambda module, arguments, output: seen.append(output.requires_grad))
    GradCAM(layer="4")(model, IMAGES, TARGETS)
    handle.remove()
    assert seen == [False]


def test_the_layer_chosen_can_be_asked_for() -> None:
    assert GradCAM().layer_for(small_net(), IMAGES) == "5"
    assert GradCAM(layer="2").layer_for(small_net(), IMAGES) == "2"


def test_auto_is_the_layer_chosen() -> None:
    assert torch.equal(GradCAM()(small_net(), IMAGES, TARGETS), GradCAM(layer="5")(small_net(), IMAGES, TARGETS))


def test_a_compiled_model_that_has_already_run_gives_the_same_map() -> None:
    expected = GradCAM()(small_net(), IMAGES, TARGETS)
    compiled = torch.compile(small_net().requires_grad_(False), backend="eager")
    for model in (compiled, nn.Sequential(compiled).eval()):
        model(IMAGES)
        assert torch.equal(GradCAM()(model, IMAGES, TARGETS), expected)


def test_under_autocast_the_map_is_float32_and_nearly_the_same() -> None:
    expected = GradCAM()(small_net(), IMAGES, TARGETS)
    with torch.autocast("cpu", torch.bfloat16):
        cam = GradCAM()(small_net(), IMAGES, TARGETS)
    assert cam.dtype == torch.float32
    assert (cam - expected).norm() < 0.05 * expected.norm()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("55", "layer must be a layer of the model, got '55'"),
        ("8", r"layer must have a spatial map \(N, C, h, w\), '8' has none"),
    ],
)
def test_a_layer_that_cannot_be_explained_is_refused(layer: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GradCAM(layer=layer)(small_net(), IMAGES, TARGETS)


def test_a_layer_that_runs_twice_is_refused() -> None:
    shared = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(3, 2, 3), shared, shared, nn.Flatten(), nn.Linear(48, 4))
    with pytest.raises(ValueError, match="layer must run once in a forward pass, '1' runs 2 times"):
        GradCAM(layer="1")(model, IMAGES, TARGETS)


def test_a_model_without_a_spatial_map_is_refused() -> None:
    with pytest.raises(UsageError, match="this model has none"):
        GradCAM()(nn.Sequential(nn.Flatten(), nn.Linear(144, 4)), IMAGES, TARGETS)


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ValueError, match="layer must be 'auto' or the name of a layer"):
        GradCAM(layer="")
