"""KernelSHAP against exact Shapley values."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import nn

from dlcli.explainers.kernel_shap import KernelSHAP
from dlcli.explainers.present import Parts


def test_it_finds_the_exact_shapley_values_of_three_columns(people: Any) -> None:
    model, rows, targets = people
    parts = Parts.of(model, rows, targets, cells=1, fill="mean")
    ask = parts.asked(0)
    exact = torch.zeros(3)
    for order in itertools.permutations(range(3)):
        present = torch.zeros(1, 3)
        for column in order:
            before = ask(present)[0]
            present[0, column] = 1
            exact[column] += (ask(present)[0] - before) / math.factorial(3)
    found = KernelSHAP(samples=400)(model, rows, targets)
    assert torch.allclose(found[0], exact, atol=5e-3)


def test_a_linear_models_cells_have_weight_times_what_is_taken_away() -> None:
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.rand(1, 1, 4, 4)
    shares = (model[1].weight[1].detach().reshape(4, 4) * images[0, 0]).reshape(2, 2, 2, 2).sum(dim=(1, 3))
    found = KernelSHAP(cells=2, fill="zero", samples=200)(model, images, torch.tensor([1]))
    assert torch.allclose(found[0, ::2, ::2], shares, atol=1e-3)


@pytest.mark.parametrize(("field", "value"), [("samples", 1), ("cells", 0), ("at_once", 0)])
def test_a_wrong_setting_is_refused(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=field):
        KernelSHAP(**{field: value})
