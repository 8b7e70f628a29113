"""Layer-wise relevance against its sum and its formula, and models that it cannot follow."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.errors import UsageError
from dlcli.explainers.lrp import LRP

IMAGES, TARGETS = torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 2, 1])


def chain(*, bias: bool = False) -> nn.Module:
    torch.manual_seed(0)
    body = [nn.Conv2d(2, 4, 3, bias=bias), nn.ReLU(inplace=True), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 3, bias=bias)]
    return nn.Sequential(*body).eval()


def test_without_biases_nothing_is_lost() -> None:
    model = chain()
    maps = LRP()(model, IMAGES, TARGETS)
    logits = model(IMAGES).gather(1, TARGETS[:, None])[:, 0].detach()
    assert maps.shape == (3, 6, 6)
    assert maps.sum(dim=(1, 2)).tolist() == pytest.approx(logits.tolist(), rel=1e-3)


def test_of_one_linear_layer_each_input_has_its_product() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(72, 3, bias=False))
    maps = LRP()(model, IMAGES, TARGETS)
    products = (model[1].weight.detach()[TARGETS] * IMAGES.flatten(1)).reshape(IMAGES.shape).sum(dim=1)
    assert torch.allclose(maps, products, atol=1e-5)


def test_of_two_layers_relevance_is_shared_by_the_epsilon_rule() -> None:
    model = chain()
    conv, _, pool, flat, head = model
    hidden = conv(IMAGES).relu()
    pooled = flat(pool(hidden))
    relevance = head.weight[TARGETS] * pooled  # of the pooled values, exact
    # Mean pooling gives each of four its share of the mean.
    shares = hidden / (4 * pool(hidden)).repeat_interleave(2, 2).repeat_interleave(2, 3).clamp_min(1e-9)
    spread = shares * relevance.reshape(3, 4, 2, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    before = conv(IMAGES)
    ratio = torch.where(before != 0, spread / before, 0)
    back = nn.functional.conv_transpose2d(ratio, conv.weight) * IMAGES
    assert torch.allclose(LRP()(model, IMAGES, TARGETS), back.sum(dim=1).detach(), atol=1e-4)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(72, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head((inputs + self.conv(inputs)).flatten(1))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(72, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(nn.functional.relu(self.conv(inputs)).flatten(1))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Residual(), "joins branches"),
        (Functional(), "functional ReLU"),
        (nn.Sequential(nn.Flatten(), nn.Linear(72, 4), nn.GELU(), nn.Linear(4, 3)), "no rule for GELU"),
    ],
)
def test_what_it_cannot_follow_is_refused(model: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        LRP()(model, IMAGES, TARGETS)
    assert caught.value.hint == "dl explain integrated_gradients"
