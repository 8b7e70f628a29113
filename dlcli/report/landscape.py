"""Walks of optimizers over a function of two numbers, seen from above."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.report.figure import COLORS, clean, new_figure, own_style, png

_GRID = 160
_LEVELS = 24


@dataclass(frozen=True, eq=False)
class Walks:
    """The walks of one optimizer.

    Args:
        title: above its panel.
        track: positions, (steps + 1, N, 2).
        stuck: walks that did not end at the lowest minimum, bool (N,).
    """

    title: str
    track: Tensor
    stuck: Tensor


@own_style
def walks_plot(height: Callable[[Tensor], Tensor], radius: float, walks: Sequence[Walks], *, title: str) -> bytes:
    """Returns a panel per optimizer as PNG: contours of the function, each walk from its start (dot) to its end (cross).

    Args:
        height: maps points (..., 2) to values (...).
        radius: the panels show [-radius, radius] along both axes; what leaves them is cut off.
    """
    line = torch.linspace(-radius, radius, _GRID, dtype=torch.float64)
    x, y = torch.meshgrid(line, line, indexing="xy")
    values = height(torch.stack([x, y], dim=-1))
    # Heights above the minimum on a logarithmic scale: valleys show their shape, walls do not hide them.
    shown = (values - values.min() + 1e-3 * (values.max() - values.min())).log()
    figure = new_figure(4.0 * len(walks), 4.2)
    for axes, own in zip(figure.subplots(1, len(walks), squeeze=False)[0], walks, strict=True):
        count = int(own.stuck.sum())
        clean(axes, title=f"{own.title}: {count} of {len(own.stuck)} stuck", x_label="x", y_label="y")
        axes.contourf(x.numpy(), y.numpy(), shown.numpy(), levels=_LEVELS, cmap="Greys_r", alpha=0.6)
        for number in range(own.track.shape[1]):
            path = own.track[:, number].numpy()
            color = COLORS[1] if bool(own.stuck[number]) else COLORS[2]
            axes.plot(path[:, 0], path[:, 1], color=color, linewidth=1.0, alpha=0.9)
            axes.plot(path[:1, 0], path[:1, 1], "o", color=color, markersize=3)
            axes.plot(path[-1:, 0], path[-1:, 1], "X", color=color, markersize=7, markeredgecolor="white")
        axes.set(xlim=(-radius, radius), ylim=(-radius, radius), aspect="equal")
    figure.suptitle(f"{title}: walks that reach the lowest minimum (green) and walks that do not (orange)", fontsize=11)
    return png(figure)
