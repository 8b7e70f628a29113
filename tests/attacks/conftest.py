"""Models whose distances are known, for the attacks that look for the nearest error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Norm
from dlcli.classifier import class_logits, predicted_classes

SHAPE = (1, 4, 5)


@pytest.fixture
def linear() -> Callable[[int], tuple[nn.Module, Tensor, Tensor]]:
    """Makes a linear model of so many outputs, and 50 images far enough from the box for it not to matter."""

    def made(classes: int) -> tuple[nn.Module, Tensor, Tensor]:
        torch.manual_seed(classes)
        model = nn.Sequential(nn.Flatten(), nn.Linear(20, classes))
        inputs = 0.5 + 0.1 * (torch.rand(50, *SHAPE) - 0.5)
        with torch.no_grad():
            model[1].bias -= model(inputs).mean(dim=0)
        return model, inputs, predicted_classes(model(inputs))

    return made


@pytest.fixture
def wide_linear() -> Callable[[int, float], tuple[nn.Module, Tensor, Tensor]]:
    """Makes the same of 12 x 12 pixels, with boundaries ten times as far away, and logits ``sure`` times as large."""

    def made(classes: int, sure: float = 1.0) -> tuple[nn.Module, Tensor, Tensor]:
        torch.manual_seed(classes)
        model = nn.Sequential(nn.Flatten(), nn.Linear(144, classes))
        inputs = 0.5 + 0.8 * (torch.rand(50, 1, 12, 12) - 0.5)
        with torch.no_grad():
            model[1].weight.mul_(sure)
            model[1].bias -= model(inputs).mean(dim=0)
        return model, inputs, predicted_classes(model(inputs))

    return made


@pytest.fixture
def exact_distances() -> Callable[..., Tensor]:
    """How far the nearest boundary of a linear model is, min over k of (z_y - z_k) over the dual norm of w_y - w_k."""

    def distances(model: Any, inputs: Tensor, norm: Norm) -> Tensor:
        logits, weight = class_logits(model(inputs)).detach(), class_logits(model[1].weight.detach().T).T
        best = logits.argmax(dim=1, keepdim=True)
        slopes = (weight[best.flatten()][:, None] - weight).norm(p={"linf": 1, "l2": 2}[norm], dim=2)
        return ((logits.gather(1, best) - logits) / slopes).scatter(1, best, torch.inf).amin(dim=1)

    return distances
