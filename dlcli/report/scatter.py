"""Points of several classes on a plane, as a figure and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from rich.text import Text
from torch import Tensor

from dlcli.report.figure import COLORS, literal, new_figure, own_style, png
from dlcli.report.terminal import picture

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_NAMED_UP_TO = 30
_SIDE = 60  # pixels of the terminal's picture


@own_style
def scatter_plot(maps: Mapping[str, Tensor], targets: Tensor, wrong: Tensor, *, classes: Sequence[str]) -> bytes:
    """Returns a panel per map as PNG: a point per example, coloured by its true class; black crosses are wrong predictions.

    Each class is named at the median of its points, so that colours need not be told apart; markers differ as well.

    Args:
        maps: coordinates, (N, 2), by the panel's title.
        targets: class numbers, int64 (N,).
        wrong: examples that the model gets wrong, bool (N,).
    """
    figure = new_figure(5.2 * len(maps), 5.2)
    for axes, (title, points) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        axes.set_title(literal(title), fontsize=11, loc="left")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal", adjustable="datalim")
        present = sorted(set(targets.tolist()))
        for number in present:
            own = points[targets == number]
            style = {"color": COLORS[number % len(COLORS)], "marker": _MARKERS[number // len(COLORS) % len(_MARKERS)]}
            axes.scatter(own[:, 0], own[:, 1], s=14, alpha=0.6, linewidths=0, **style)
        missed = points[wrong]
        axes.scatter(missed[:, 0], missed[:, 1], s=26, marker="x", color="black", linewidths=1.2)
        for number in present if len(present) <= _NAMED_UP_TO else ():
            _name(axes, points[targets == number].median(dim=0).values.tolist(), classes[number], COLORS[number % len(COLORS)])
    figure.supxlabel(f"{len(targets)} examples; × = predicted wrongly ({int(wrong.sum())})", fontsize=10)
    return png(figure)


def _name(axes: Any, place: Sequence[float], name: str, color: str) -> None:
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": color, "alpha": 0.85}
    axes.text(place[0], place[1], literal(name, 16), ha="center", va="center", fontsize=9, bbox=box)


def scatter_picture(points: Tensor, targets: Tensor) -> Text:
    """Returns the points (N, 2) as coloured pixels for the terminal; where several fall together the last one is seen."""
    low, high = points.amin(dim=0), points.amax(dim=0)
    places = ((points - low) / (high - low).clamp_min(1e-12) * (_SIDE - 1)).round().long()
    palette = torch.tensor([[int(color[start : start + 2], 16) for start in (1, 3, 5)] for color in COLORS], dtype=torch.uint8)
    palette[COLORS.index("#000000")] = 230
    image = torch.full((_SIDE, _SIDE, 3), 24, dtype=torch.uint8)
    image[_SIDE - 1 - places[:, 1], places[:, 0]] = palette[targets % len(COLORS)]
    return picture(image, width=_SIDE)
