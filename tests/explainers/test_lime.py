"""LIME on models that are linear already, and on a planted patch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlcli.explainers.lime import LIME


def test_a_linear_model_gets_its_own_weights_back_without_a_penalty() -> None:
    torch.manual_seed(0)
    model, rows = nn.Linear(5, 2), torch.rand(2, 5) + 0.5
    targets = torch.tensor([1, 0])
    found = LIME(samples=200, ridge=0.0)(model, rows, targets)
    assert torch.allclose(found, model.weight[targets].detach() * rows, atol=1e-4)


def test_a_penalty_shrinks() -> None:
    model, rows, targets = nn.Linear(5, 2), torch.rand(1, 5), torch.tensor([0])
    weak, strong = (LIME(samples=50, ridge=ridge)(model, rows, targets).norm() for ridge in (0.0, 100.0))
    assert strong < weak


def test_the_cell_of_a_planted_patch_weighs_most(planted: Any) -> None:
    maps = LIME(samples=150, cells=4)(planted.model, planted.images[:20], torch.ones(20, dtype=torch.long))
    touched = planted.patches[:20].flatten(1)
    best = maps.flatten(1) == maps.flatten(1).amax(dim=1, keepdim=True)
    assert float((touched & best).any(dim=1).float().mean()) >= 0.9


@pytest.mark.parametrize(("field", "value"), [("samples", 1), ("cells", 0), ("width", 0.0), ("ridge", -1.0), ("at_once", 0)])
def test_a_wrong_setting_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        LIME(**{field: value})
