"""Score-CAM by its formula, mask by mask."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.classifier import Classifier
from dlcli.contracts import DataSpec
from dlcli.explainers.scorecam import ScoreCAM

IMAGES = torch.rand(2, 1, 6, 5, generator=torch.Generator().manual_seed(0))


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(90, 4)).eval()


def test_the_map_is_the_softmax_over_masked_images() -> None:
    model = net()
    maps = model[:2](IMAGES[:1])[0].detach()
    maps = maps[maps.amax(dim=(1, 2)) > 0]  # a ReLU that is shut makes no mask
    logits = []
    for one in maps:
        mask = (one - one.min()) / (one.max() - one.min())
        logits.append(model(IMAGES[:1] * mask)[0, 2])
    expected = (torch.stack(logits).softmax(dim=0)[:, None, None] * maps).sum(dim=0).relu()
    found = ScoreCAM(layer="1")(model, IMAGES[:1], torch.tensor([2]))
    assert torch.allclose(found[0], expected, atol=1e-6)


def test_the_size_of_a_chunk_changes_nothing() -> None:
    targets = torch.tensor([0, 1])
    assert torch.allclose(ScoreCAM(chunk=1)(net(), IMAGES, targets), ScoreCAM(chunk=64)(net(), IMAGES, targets), atol=1e-6)


def test_what_a_mask_hides_shows_the_mean_of_the_data() -> None:
    class Largest(nn.Module):
        """Remembers the largest input that it has seen in size, after standardisation."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.seen = net(), 0.0

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            self.seen = max(self.seen, float(inputs.abs().max()))
            logits: torch.Tensor = self.inner(inputs)
            return logits

    spec = DataSpec(name="x", shape=(1, 6, 5), classes=tuple("abcd"), mean=(0.5,), std=(0.01,), epsilon={})
    inside = Largest()
    model = Classifier(spec, inside).eval()
    grey = torch.full((1, 1, 6, 5), 0.51)
    ScoreCAM(layer="net.inner.1")(model, grey, torch.tensor([0]))
    assert inside.seen <= 1.0 + 1e-4


def test_few_channels_are_those_of_the_largest_mean() -> None:
    model, target = net(), torch.tensor([1])
    maps = model[:2](IMAGES[:1])[0].detach()
    best = int(maps.mean(dim=(1, 2)).argmax())
    assert torch.allclose(ScoreCAM(layer="1", channels=1)(model, IMAGES[:1], target)[0], maps[best], atol=1e-6)


def test_maps_that_are_the_same_everywhere_give_zeros() -> None:
    model = net()
    nn.init.zeros_(model[0].weight)
    assert not ScoreCAM(layer="1")(model, IMAGES, torch.tensor([0, 1])).any()


@pytest.mark.parametrize("name", ["channels", "chunk"])
def test_less_than_one_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        ScoreCAM(**{name: 0})
