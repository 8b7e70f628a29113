"""Input × gradient against closed forms and captum."""

from __future__ import annotations

import torch
from captum.attr import InputXGradient as CaptumInputXGradient
from torch import nn

from dlcli.explainers.input_x_gradient import InputXGradient

TARGETS = torch.tensor([0, 2, 1])


def test_for_a_linear_model_on_a_table_it_is_weight_times_input() -> None:
    model, rows = nn.Linear(6, 3), torch.rand(3, 6)
    assert torch.allclose(InputXGradient()(model, rows, TARGETS), model.weight[TARGETS].detach() * rows)


def test_for_one_binary_logit_class_zero_has_the_opposite_sign() -> None:
    model, rows = nn.Linear(6, 1), torch.rand(1, 6).expand(2, 6)
    maps = InputXGradient()(model, rows, torch.tensor([1, 0]))
    assert torch.equal(maps[0], -maps[1])
    assert maps.any()


def test_for_a_conv_net_it_is_captums_summed_over_channels() -> None:
    torch.manual_seed(0)
    images = torch.rand(3, 2, 4, 5)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3))
    theirs = CaptumInputXGradient(model).attribute(images.clone().requires_grad_(), target=TARGETS)
    assert torch.allclose(InputXGradient()(model, images, TARGETS), theirs.sum(dim=1), atol=1e-6)


def test_a_missing_cell_of_a_plain_table_adds_nothing() -> None:
    class Imputing(nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return super().forward(inputs.masked_fill(inputs.isnan(), 0.0))

    maps = InputXGradient()(Imputing(2, 2), torch.tensor([[torch.nan, 2.0]]), torch.tensor([0]))
    assert maps[0, 0] == 0
    assert maps[0, 1] != 0


def test_bfloat16_images_give_float32_maps() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).bfloat16()
    maps = InputXGradient()(model, torch.rand(3, 1, 4, 4).bfloat16(), TARGETS)
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()
