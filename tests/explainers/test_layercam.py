"""LayerCAM by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.explainers.layercam import LayerCAM

MAPS = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[3.0, 0.0], [1.0, 0.0]]]])
GRADIENTS = torch.tensor([[[[1.0, 0.0], [0.5, -1.0]], [[-2.0, 0.0], [1.0, 0.0]]]])


def test_only_positive_gradients_count_each_at_its_own_position() -> None:
    expected: Tensor = (MAPS * GRADIENTS.clamp(min=0)).sum(dim=1)
    assert torch.equal(LayerCAM().combine(MAPS, GRADIENTS), expected)
    assert expected.flatten().tolist() == [1.0, 0.0, 1.0, 0.0]
