"""Walks seen from above: colours say who arrived."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image

from dlcli.report.landscape import Walks, walks_plot

GREEN, ORANGE = (0, 158, 115), (213, 94, 0)


def colours(stuck: list[bool]) -> set[tuple[int, ...]]:
    track = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]], [[0.0, 0.0], [0.5, 0.5]]], dtype=torch.float64)
    data = walks_plot(lambda points: points.square().sum(-1), 2.0, [Walks("sgd", track, torch.tensor(stuck))], title="bowl")
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).reshape(-1, 3)
    return {tuple(map(int, pixel)) for pixel in np.unique(pixels, axis=0)}


def test_who_arrives_is_green_and_who_does_not_is_orange():
    def near(found: set[tuple[int, ...]], wanted: tuple[int, ...]) -> bool:
        return any(max(abs(a - b) for a, b in zip(one, wanted, strict=True)) < 12 for one in found)

    arrived, trapped = colours([False, False]), colours([True, True])
    assert near(arrived, GREEN)
    assert not near(arrived, ORANGE)
    assert near(trapped, ORANGE)
    assert not near(trapped, GREEN)
