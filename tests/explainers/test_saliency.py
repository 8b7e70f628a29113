"""Saliency against closed forms and captum."""

from __future__ import annotations

import torch
from captum.attr import Saliency as CaptumSaliency
from torch import nn

from dlcli.explainers.saliency import Saliency

IMAGES = torch.rand(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 2, 1])


def test_for_a_linear_model_on_a_table_it_is_the_signed_weights_of_the_class() -> None:
    model = nn.Linear(6, 3)
    assert torch.allclose(Saliency()(model, torch.rand(3, 6), TARGETS), model.weight[TARGETS].detach())


def test_for_one_binary_logit_class_zero_has_the_negative_weights() -> None:
    model = nn.Linear(6, 1)
    maps = Saliency()(model, torch.rand(2, 6), torch.tensor([1, 0]))
    assert torch.equal(maps, torch.cat([model.weight, -model.weight]).detach())


def test_for_a_linear_model_on_images_it_is_the_largest_absolute_weight_over_the_channels() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(40, 3))
    expected = model[1].weight.detach().reshape(3, 2, 4, 5).abs().amax(dim=1)
    assert torch.allclose(Saliency()(model, IMAGES, TARGETS), expected[TARGETS])


def test_for_a_conv_net_it_is_captums_before_the_maximum_over_channels() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3))
    theirs = CaptumSaliency(model).attribute(IMAGES.clone().requires_grad_(), target=TARGETS, abs=True)
    assert torch.allclose(Saliency()(model, IMAGES, TARGETS), theirs.amax(dim=1), atol=1e-7)


def test_a_model_that_writes_into_its_input_changes_nothing_of_the_callers() -> None:
    model, inputs = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 2)), torch.tensor([[-1.0, 1.0, -2.0, 2.0]])
    maps = Saliency()(model, inputs, torch.tensor([0]))
    assert inputs.tolist() == [[-1.0, 1.0, -2.0, 2.0]]
    assert (maps[0] == 0).tolist() == [True, False, True, False]
