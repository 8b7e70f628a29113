"""Ablation-CAM by taking maps away one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.explainers.ablationcam import AblationCAM

IMAGES = torch.rand(2, 1, 6, 5, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([2, 0])


def net(shift: float = 0.0) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(90, 4)).eval()
    nn.init.constant_(model[3].bias, shift)
    return model


class Around(nn.Module):
    """A layer whose input goes on beside its output."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.head = nn.Conv2d(1, 3, 3, padding=1), nn.Linear(4 * 30, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.cat([inputs, self.layer(inputs)], dim=1).flatten(1))
        return logits


def by_hand(maps: Tensor, head: object) -> Tensor:
    found = []
    for row, target in enumerate(TARGETS.tolist()):
        whole = head(maps[row : row + 1], row)[0, target]
        cam = torch.zeros(6, 5)
        for channel in range(3):
            without = maps[row : row + 1].clone()
            without[:, channel] = 0
            cam += (whole - head(without, row)[0, target]) / whole.abs() * maps[row, channel]
        found.append(cam.relu())
    return torch.stack(found).detach()


@pytest.mark.parametrize("shift", [0.0, 5.0, -5.0])
def test_weights_are_the_falls_of_the_logit_also_of_a_negative_one(shift: float) -> None:
    model = net(shift)
    expected = by_hand(model[:2](IMAGES), lambda maps, row: model[3](maps.flatten(1)))
    assert torch.allclose(AblationCAM(layer="1")(model, IMAGES, TARGETS), expected, atol=1e-5)
    assert expected.any()


def test_where_something_passes_the_layer_by_the_whole_network_runs() -> None:
    model = Around().eval()
    expected = by_hand(
        model.layer(IMAGES), lambda maps, row: model.head(torch.cat([IMAGES[row : row + 1], maps], dim=1).flatten(1))
    )
    assert torch.allclose(AblationCAM(layer="layer")(model, IMAGES, TARGETS), expected, atol=1e-5)


def test_what_comes_before_the_layer_runs_once_for_an_image() -> None:
    model, rows = net(), []
    model[0].register_forward_hook(lambda module, arguments, output: rows.append(len(output)))
    AblationCAM(layer="1")(model, IMAGES, TARGETS)
    assert max(rows) == 2  # never once for each map: those would be 3


def test_the_size_of_a_chunk_changes_nothing_and_none_is_refused() -> None:
    assert torch.allclose(AblationCAM(chunk=1)(net(), IMAGES, TARGETS), AblationCAM()(net(), IMAGES, TARGETS), atol=1e-6)
    with pytest.raises(ValueError, match="chunk must be at least 1, got 0"):
        AblationCAM(chunk=0)
