"""A table with a category, and images in which a net has learned to see a planted patch."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from dlcli.classifier import Classifier
from dlcli.contracts import Column, DataSpec
from dlcli.models.mlp import MLP

SPEC = DataSpec(
    name="people",
    shape=(3,),
    classes=("no", "yes"),
    mean=(40.0, 0.0, 5.0),
    std=(10.0, 1.0, 2.0),
    kind="table",
    epsilon={},
    columns=(Column(name="age"), Column(name="job", categories=("a", "b", "c")), Column(name="years")),
)
SIDE, PATCH = 16, 4


@pytest.fixture
def people() -> tuple[Classifier, Tensor, Tensor]:
    """A net of one binary logit with embedded categories, two rows (one with a missing cell), and classes."""
    torch.manual_seed(0)
    model = Classifier(SPEC, MLP(spec=SPEC, outputs=1, widths=(8,))).eval()
    return model, torch.tensor([[50.0, 2.0, 1.0], [20.0, 1.0, torch.nan]]), torch.tensor([1, 0])


@dataclass(frozen=True)
class Planted:
    """A net, 100 images that it never saw with a patch in each, and where the patches are."""

    model: nn.Module
    images: Tensor
    patches: Tensor

    def share_found(self, maps: Tensor) -> float:
        """The share of maps whose largest value lies on the patch."""
        found = maps.flatten(1).argmax(dim=1, keepdim=True)
        return float(self.patches.flatten(1).gather(1, found).float().mean())


def _draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise with a chequered patch in each image, and where it is, bool (N, H, W)."""
    images = torch.rand(count, 1, SIDE, SIDE, generator=generator) * 0.6 + 0.2
    corners = torch.randint(0, SIDE - PATCH + 1, (count, 2), generator=generator)
    chequered = (torch.arange(PATCH)[:, None] + torch.arange(PATCH)[None]) % 2
    patches = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    for row, (top, left) in enumerate(corners.tolist()):
        images[row, 0, top : top + PATCH, left : left + PATCH] = chequered.float()
        patches[row, top : top + PATCH, left : left + PATCH] = True
    return images, patches


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Trains for a few seconds: does the image hold the patch?"""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(12, 2),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(120):
        with_patch, _ = _draw(32, generator)
        without = torch.rand(32, 1, SIDE, SIDE, generator=generator) * 0.6 + 0.2
        loss = nn.functional.cross_entropy(model(torch.cat([with_patch, without])), torch.tensor([1] * 32 + [0] * 32))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    images, patches = _draw(100, generator)
    model.eval()
    with torch.no_grad():
        assert (model(images).argmax(dim=1) == 1).float().mean() >= 0.98
    return Planted(model, images, patches)
