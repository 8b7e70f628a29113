"""Where the channels and the positions of a map are."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.convnext import LayerNorm2d

from dlcli.explainers.layouts import Layout, layout_of

FIRST = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
WORDS = torch.cat([torch.full((2, 2, 3), -1.0), FIRST.flatten(2).transpose(1, 2)], dim=1)
LAYOUTS = [
    (Layout("channels_first", (4, 5)), FIRST),
    (Layout("channels_last", (4, 5)), FIRST.permute(0, 2, 3, 1)),
    (Layout("words", (4, 5), 2), WORDS),
]
each_layout = pytest.mark.parametrize(("layout", "answer"), LAYOUTS, ids=[layout.order for layout, _ in LAYOUTS])


@each_layout
def test_all_layouts_hold_the_same_maps(layout: Layout, answer: torch.Tensor) -> None:
    assert torch.equal(layout.maps(answer), FIRST)


@each_layout
def test_one_channel_after_the_other_is_taken_away_and_nothing_else(layout: Layout, answer: torch.Tensor) -> None:
    copies = layout.without(answer[:1], torch.tensor([2, 0]))
    maps = layout.maps(copies)
    for row, channel in enumerate((2, 0)):
        others = [other for other in range(3) if other != channel]
        assert torch.equal(maps[row, others], FIRST[0, others])
        assert not maps[row, channel].any()
    if layout.prefix:
        assert torch.equal(copies[:, :2], answer[:1, :2].expand(2, -1, -1))


@pytest.mark.parametrize(
    ("module", "answer", "order"),
    [
        (nn.ReLU(), FIRST, "channels_first"),
        (nn.LayerNorm(5), FIRST, "channels_last"),
        (nn.Sequential(nn.Linear(4, 5)), FIRST, "channels_last"),
        (LayerNorm2d(3), FIRST, "channels_first"),
        (nn.LayerNorm(3), WORDS, "words"),
    ],
)
def test_the_kind_of_module_tells_the_order(module: nn.Module, answer: torch.Tensor, order: str) -> None:
    layout = layout_of(module, answer, (4, 5))
    assert layout is not None
    assert layout.order == order


@pytest.mark.parametrize(
    "answer",
    [torch.zeros(2, 3, 1, 5), torch.zeros(2, 19, 3), torch.zeros(2, 60, 3), torch.zeros(2, 3), (FIRST,), FIRST.long()],
    ids=["one row", "too few words", "too many words", "vectors", "tuple", "whole numbers"],
)
def test_what_holds_no_map_has_no_layout(answer: object) -> None:
    assert layout_of(nn.ReLU(), answer, (4, 5)) is None
