"""The graph cut at a layer, and maps put where the network looked."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.classifier import Classifier, Preprocessing
from dlcli.contracts import DataSpec
from dlcli.explainers.cut import check_layer, chosen_layer, enlarged, maps_and_gradients, placed
from dlcli.explainers.layers import layer_named

IMAGES = torch.rand(2, 3, 8, 6, generator=torch.Generator().manual_seed(0))


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 6 * 4, 3)).eval()


def test_maps_and_gradients_are_those_of_autograd_without_a_cut() -> None:
    model, targets = net(), torch.tensor([2, 0])
    maps = model[0](IMAGES).detach().requires_grad_()
    logits = model[3](maps.relu().flatten(1))
    (gradients,) = torch.autograd.grad(logits[[0, 1], targets].sum(), maps)
    found = maps_and_gradients(model, ("0", model[0]), IMAGES, targets)
    assert torch.allclose(found[0], maps)
    assert torch.allclose(found[1], gradients)


def test_a_layer_that_does_not_matter_has_no_gradient_and_none_that_is_missing() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(96, 3))
    nn.init.zeros_(model[2].weight)
    _, gradients = maps_and_gradients(model, ("0", model[0]), IMAGES, torch.tensor([0, 1]))
    assert not gradients.any()


def test_auto_and_a_name_are_found_and_an_empty_one_refused() -> None:
    model = net()
    assert chosen_layer("auto", model, IMAGES, explainer="gradcam") == ("1", model[1])
    assert chosen_layer("0", model, IMAGES, explainer="gradcam") == ("0", layer_named(model, "0"))
    with pytest.raises(ValueError, match="layer must be 'auto' or the name"):
        check_layer("")


def test_a_map_fills_the_image_unless_the_model_cuts_out_its_middle() -> None:
    spec = DataSpec(name="x", shape=(1, 4, 4), classes=("a", "b"), mean=(0.0,), std=(1.0,), epsilon={})
    whole = Classifier(spec, nn.Flatten())
    middle = Classifier(spec, nn.Flatten(), preprocessing=Preprocessing((1, 4, 4), (0.0,), (1.0,), resize=8))
    images, cam = torch.zeros(1, 1, 16, 24), torch.ones(1, 2, 2)
    assert torch.allclose(enlarged(cam, whole, images), torch.ones(1, 16, 24))
    found = enlarged(cam, middle, images)[0]
    # The shorter side, 16, becomes 8; of that 4 are cut out: 8 of 16 rows and 8 of 24 columns, in the middle.
    assert torch.allclose(found[4:12, 8:16], torch.ones(8, 8))
    assert float(found.sum()) == pytest.approx(64)


def test_corners_are_aligned_only_where_asked_for() -> None:
    cam = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    images = torch.zeros(1, 1, 2, 3)
    assert placed(cam, nn.Flatten(), images, corners=True)[0, 0].tolist() == [0.0, 0.5, 1.0]
    assert placed(cam, nn.Flatten(), images, corners=False)[0, 0].tolist() == pytest.approx([0.0, 0.5, 1.0])
