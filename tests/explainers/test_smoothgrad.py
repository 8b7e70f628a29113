"""SmoothGrad against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.explainers.saliency import Saliency
from dlcli.explainers.smoothgrad import SmoothGrad
from dlcli.randomness import SampleKeys


class Quadratic(nn.Module):
    """Two logits: half the sum of cubes over three, and nothing; the gradient is x²/2."""

    def forward(self, inputs: Tensor) -> Tensor:
        cubes = (inputs.flatten(1) ** 3).sum(dim=1, keepdim=True) / 6
        return torch.cat([cubes, 0 * cubes], dim=1)


def test_for_a_linear_model_it_is_the_gradient() -> None:
    torch.manual_seed(0)
    images, targets = torch.rand(3, 2, 4, 5), torch.tensor([0, 2, 1])
    model = nn.Sequential(nn.Flatten(), nn.Linear(40, 3))
    expected = Saliency()(model, images, targets)
    assert torch.allclose(SmoothGrad(samples=7)(model, images, targets), expected, atol=1e-6)
    rows = images.flatten(1)
    assert torch.allclose(SmoothGrad(samples=7)(model, rows, targets), model[1].weight[targets].detach(), atol=1e-6)


def test_sigma_is_a_share_of_the_examples_range() -> None:
    # The mean gradient of Σx³/6 at x + N(0, σ²) is (x² + σ²) / 2.
    images = torch.zeros(1, 1, 8, 8)
    images[0, 0, 0, 0] = 2.0
    maps = SmoothGrad(samples=4000, noise=0.15)(Quadratic(), images, torch.tensor([0]))
    assert float(maps[0, 1:].mean()) == pytest.approx((0.15 * 2) ** 2 / 2, rel=0.02)
    assert float(maps[0, 0, 0]) == pytest.approx((4 + 0.09) / 2, rel=0.05)


def test_without_noise_it_is_the_gradient_and_keys_change_what_is_drawn() -> None:
    images, targets = torch.rand(2, 1, 3, 3), torch.tensor([0, 0])
    quiet = SmoothGrad(samples=1, noise=0.0)(Quadratic(), images, targets)
    assert torch.allclose(quiet, Saliency()(Quadratic(), images, targets))
    first, second = (
        SmoothGrad(samples=2)(Quadratic(), images, targets, rng=SampleKeys(seed, torch.arange(2))) for seed in (1, 2)
    )
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("field", "value"), [("samples", 0), ("noise", -0.1), ("at_once", 0), ("noise", float("nan"))])
def test_a_wrong_setting_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        SmoothGrad(**{field: value})
