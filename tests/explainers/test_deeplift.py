"""DeepLIFT against closed forms, its own sum, and models that it cannot follow."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.errors import UsageError
from dlcli.explainers.deeplift import DeepLIFT

IMAGES, TARGETS = torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 2, 1])


class Net(nn.Module):
    """A perceptron with a ReLU that is a function, or one module used twice."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.relu = how, nn.ReLU()
        self.first, self.second, self.head = nn.Linear(72, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.relu(self.first(inputs.flatten(1)))
        return self.head(nn.functional.relu(self.second(hidden)) if self.how == "functional" else self.relu(self.second(hidden)))


def test_for_a_linear_model_it_is_weight_times_the_difference_to_the_baseline() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(72, 3))
    weights = model[1].weight.detach().reshape(3, 2, 6, 6)[TARGETS]
    expected = (weights * (IMAGES - IMAGES.mean(dim=(2, 3), keepdim=True))).sum(dim=1)
    assert torch.allclose(DeepLIFT()(model, IMAGES, TARGETS), expected, atol=1e-6)


def test_maps_of_a_net_that_works_in_place_sum_to_the_difference() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(16, 3)
    )
    with torch.no_grad():
        difference = (model(IMAGES) - model(torch.zeros_like(IMAGES))).gather(1, TARGETS[:, None])[:, 0]
    assert torch.allclose(DeepLIFT(baseline="zero")(model, IMAGES, TARGETS).sum(dim=(1, 2)), difference, atol=1e-5)


def test_a_tables_maps_sum_to_the_difference_to_a_missing_row(people: Any) -> None:
    model, rows, targets = people
    with torch.no_grad():
        difference = (model(rows) - model(torch.full_like(rows, torch.nan)))[:, 0] * torch.tensor([1.0, -1.0])
    assert torch.allclose(DeepLIFT()(model, rows, targets).sum(dim=1), difference, atol=1e-5)


@pytest.mark.parametrize(("how", "says"), [("functional", "functional ReLU"), ("reused", "more than once")])
def test_a_functional_or_reused_relu_is_told(how: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refusal:
        DeepLIFT()(Net(how), IMAGES, TARGETS)
    assert refusal.value.hint == "dl explain integrated_gradients"


def test_an_activation_that_captum_does_not_know_is_told_by_the_sum() -> None:
    class Square(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs**2

    with pytest.raises(UsageError, match="sums miss"):
        DeepLIFT()(nn.Sequential(nn.Flatten(), nn.Linear(72, 8), Square(), nn.Linear(8, 3)), IMAGES, TARGETS)
