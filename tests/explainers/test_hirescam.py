"""HiResCAM by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.explainers.gradcam import GradCAM
from dlcli.explainers.hirescam import HiResCAM

MAPS = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[3.0, 0.0], [1.0, 0.0]]]])
GRADIENTS = torch.tensor([[[[1.0, 0.0], [0.5, -1.0]], [[-2.0, 0.0], [1.0, 0.0]]]])


def test_every_position_has_its_own_weight() -> None:
    expected: Tensor = (MAPS * GRADIENTS).sum(dim=1).relu()
    assert torch.equal(HiResCAM().combine(MAPS, GRADIENTS), expected)
    assert expected.flatten().tolist() == [0.0, 0.0, 1.0, 0.0]


def test_where_the_head_takes_means_over_positions_it_is_grad_cam() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    images, targets = torch.rand(5, 1, 9, 7), torch.tensor([0, 1, 2, 0, 1])
    assert torch.allclose(HiResCAM()(model, images, targets), GradCAM()(model, images, targets), atol=1e-6)
