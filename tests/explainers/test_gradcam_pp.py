"""Grad-CAM++ by the paper's formula, alpha included."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.explainers.gradcam_pp import GradCAMPlusPlus

MAPS = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[3.0, 0.0], [1.0, 0.0]]]])
GRADIENTS = torch.tensor([[[[1.0, 0.0], [0.5, -1.0]], [[-2.0, 0.0], [1.0, 0.0]]]])


def test_the_map_is_the_papers_formula_element_by_element() -> None:
    weights = []
    for maps, gradients in zip(MAPS[0], GRADIENTS[0], strict=True):
        total, weight = float(maps.sum()), 0.0
        for gradient in gradients.flatten().tolist():
            if gradient != 0:
                alpha = gradient**2 / (2 * gradient**2 + total * gradient**3)
                weight += alpha * max(gradient, 0.0)
        weights.append(weight)
    expected = sum((weight * maps for weight, maps in zip(weights, MAPS[0], strict=True)), torch.zeros(2, 2)).relu()
    assert torch.allclose(GradCAMPlusPlus().combine(MAPS, GRADIENTS)[0], expected, atol=1e-5)


def test_alpha_matters() -> None:
    without: Tensor = (GRADIENTS.relu().sum(dim=(2, 3), keepdim=True) * MAPS).sum(dim=1)
    found = GradCAMPlusPlus().combine(MAPS, GRADIENTS)
    assert not torch.allclose(found / found.max(), without / without.max(), atol=0.05)


def test_where_the_sum_below_the_line_is_zero_the_map_is_finite() -> None:
    # 2 g² + S g³ is 0 for g = -2 / S.
    assert GradCAMPlusPlus().combine(torch.ones(1, 1, 1, 2), torch.tensor([[[[-1.0, 1.0]]]])).isfinite().all()
