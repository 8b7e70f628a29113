"""Whether a model has a gradient."""

import torch
from torch import Tensor, nn

from dlcli.engine.slope import has_gradient


class Step(nn.Module):
    """Fires above a half; ``how`` decides what autograd sees of it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, inputs: Tensor) -> Tensor:
        mean = inputs.flatten(1).mean(dim=1, keepdim=True) - 0.5
        if self.how == "hard":
            return (mean > 0).float()
        if self.how == "sign":
            return mean.sign()
        return mean if self.how == "soft" else (1e6 * mean).sigmoid()


INPUTS = torch.rand(8, 1, 2, 2, generator=torch.Generator().manual_seed(0))
PLACES = torch.arange(8)


def test_a_hard_threshold_has_no_gradient_whether_autograd_sees_it_or_not() -> None:
    assert not has_gradient(Step("hard"), INPUTS, PLACES)
    assert not has_gradient(Step("sign"), INPUTS, PLACES)


def test_a_saturated_output_has_none_and_its_logits_do() -> None:
    assert not has_gradient(Step("saturated"), INPUTS, PLACES)
    assert has_gradient(Step("soft"), INPUTS, PLACES)
    assert has_gradient(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), 1000 * INPUTS, PLACES)


def test_callers_without_gradients_make_no_difference() -> None:
    with torch.inference_mode():
        assert has_gradient(Step("soft"), INPUTS, PLACES)


def test_one_input_with_a_slope_is_enough() -> None:
    class Lit(nn.Module):
        """Rises above a mean of 0.9."""

        def forward(self, inputs: Tensor) -> Tensor:
            return (inputs.flatten(1).mean(dim=1, keepdim=True) - 0.9).relu()

    dark = torch.zeros(8, 1, 2, 2)
    assert not has_gradient(Lit(), dark, PLACES)
    dark[5] = 1
    assert has_gradient(Lit(), dark, PLACES)
