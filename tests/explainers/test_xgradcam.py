"""XGrad-CAM by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.explainers.xgradcam import XGradCAM

MAPS = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[3.0, 0.0], [1.0, 0.0]]]])
GRADIENTS = torch.tensor([[[[1.0, 0.0], [0.5, -1.0]], [[-2.0, 0.0], [1.0, 0.0]]]])


def test_weights_are_the_gradients_means_weighted_by_the_maps() -> None:
    first, second = (1 - 1) / 4, (-6 + 1) / 4
    expected: Tensor = (first * MAPS[:, 0] + second * MAPS[:, 1]).relu()
    assert torch.allclose(XGradCAM().combine(MAPS, GRADIENTS), expected)


def test_the_weighted_maps_add_up_to_what_the_gradients_account_for() -> None:
    maps, gradients = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    # Axiom of conservation: Σ_k w_k Σ_ij A_k = Σ_k Σ_ij g_k A_k; with nothing negative no ReLU cuts anything off.
    found = XGradCAM().combine(maps, gradients).sum(dim=(1, 2))
    assert torch.allclose(found, (maps * gradients).sum(dim=(1, 2, 3)), rtol=1e-5)


def test_a_map_that_sums_to_nearly_zero_is_left_out() -> None:
    maps = torch.tensor([[[[1.0, -1.0 + 1e-7]], [[1.0, 1.0]]]])
    found = XGradCAM().combine(maps, torch.ones(1, 2, 1, 2))
    assert torch.allclose(found, torch.ones(1, 1, 2))
