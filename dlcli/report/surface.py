"""Loss over weights: along a line, over a plane, and the way of training on one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from rich.text import Text
from torch import Tensor

from dlcli.report.figure import COLORS, clean, legend, new_figure, own_style, png
from dlcli.report.images import heat_colors
from dlcli.report.terminal import picture

_LEVELS = 18
_MAP = "cividis"  # its lightness rises all the way, also for the colour-blind
_CELL = 2  # pixels of the terminal for a point of the grid


@own_style
def line_plot(shares: Tensor, losses: Tensor, accuracies: Tensor) -> bytes:
    """Returns loss and accuracy from the first weights (0) over the trained ones (1) and beyond, as PNG.

    Args:
        shares: of the way, (P,); 0 and 1 are among them.
        losses, accuracies: at each, (P,).
    """
    figure = new_figure(6.4, 4.0)
    axes = figure.subplots()
    clean(axes, title="straight from the first weights to the trained ones", x_label="share of the way", y_label="loss")
    loss = axes.plot(shares, losses, "-", color=COLORS[0], linewidth=2)[0]
    for place in (0.0, 1.0):
        at = int((shares - place).abs().argmin())
        axes.plot([float(shares[at])], [float(losses[at])], "o", color=COLORS[0], markersize=7)
    right = axes.twinx()
    accuracy = right.plot(shares, 100 * accuracies, "--", color=COLORS[1], linewidth=2)[0]
    right.set_ylabel("accuracy (%)")
    right.set_ylim(0, 102)
    right.spines[["top"]].set_visible(False)
    axes.set_ylim(bottom=0)
    legend(axes, [loss, accuracy], ["loss", "accuracy"], loc="center left")
    return png(figure)


@own_style
def surface_plot(x: Tensor, y: Tensor, losses: Tensor) -> bytes:
    """Returns the loss around the trained weights as contours and as a landscape, both with a logarithmic height, as PNG.

    Args:
        x, y: distances along the two directions, (W,) and (H,).
        losses: (H, W).
    """
    figure = new_figure(10.0, 4.6)
    flat = figure.add_subplot(1, 2, 1)
    heights = _contours(figure, flat, x, y, losses)
    flat.plot([0], [0], "*", color="white", markeredgecolor="black", markersize=13)
    clean(flat, title="loss from above; the star is the trained network", x_label="direction 1, in lengths of its filters")
    flat.set_ylabel("direction 2")
    flat.grid(visible=False)
    deep: Any = figure.add_subplot(1, 2, 2, projection="3d")
    across, up = torch.meshgrid(x, y, indexing="xy")
    deep.plot_surface(across.numpy(), up.numpy(), heights.numpy(), cmap=_MAP, rstride=1, cstride=1, linewidth=0)
    deep.set_title("the same as a landscape", fontsize=11, loc="left")
    deep.set_xlabel("direction 1")
    deep.set_ylabel("direction 2")
    deep.set_zlabel("log10 loss")
    # Its labels would run into each other.
    deep.set_xticks([float(x[0]), 0, float(x[-1])])
    deep.set_yticks([float(y[0]), 0, float(y[-1])])
    return png(figure)


@own_style
def path_plot(x: Tensor, y: Tensor, losses: Tensor, path: Tensor, *, shares: Sequence[float]) -> bytes:
    """Returns the way of training over the plane in which most of it lies, as PNG.

    Args:
        x, y, losses: as for :func:`surface_plot`; (0, 0) is the path's end.
        path: coordinates, (T, 2), the first weights first.
        shares: of the path's squared length that lie along each direction.
    """
    figure = new_figure(6.0, 4.6)
    axes = figure.subplots()
    _contours(figure, axes, x, y, losses)
    axes.plot(path[:, 0], path[:, 1], ".-", color="white", linewidth=2.6, markersize=8)
    line = axes.plot(path[:, 0], path[:, 1], ".-", color=COLORS[1], linewidth=1.4, markersize=6)[0]
    first = axes.plot(path[:1, 0], path[:1, 1], "s", color="white", markeredgecolor="black", markersize=8)[0]
    last = axes.plot(path[-1:, 0], path[-1:, 1], "*", color="white", markeredgecolor="black", markersize=14)[0]
    labels = [f"direction {place} ({100 * share:.0f} % of the way)" for place, share in enumerate(shares, 1)]
    clean(axes, title="the way of training, seen on its own plane", x_label=labels[0], y_label=labels[1])
    axes.grid(visible=False)
    box = axes.legend([line, first, last], ["steps", "start", "end"], loc="best", fontsize=9, framealpha=0.9)
    box.get_frame().set_linewidth(0)
    return png(figure)


def _contours(figure: Any, axes: Any, x: Tensor, y: Tensor, losses: Tensor) -> Tensor:
    """Draws contours of log10 of the loss with their colour bar, and returns these heights."""
    heights = _logarithms(losses)
    filled = axes.contourf(x.numpy(), y.numpy(), heights.numpy(), levels=_LEVELS, cmap=_MAP)
    axes.contour(x.numpy(), y.numpy(), heights.numpy(), levels=_LEVELS, colors="black", linewidths=0.3, alpha=0.5)
    bar = figure.colorbar(filled, ax=axes)
    bar.set_label("log10 loss (nats)")
    bar.outline.set_visible(False)
    return heights


def _logarithms(losses: Tensor) -> Tensor:
    """log10 of the losses; what is not finite is as high as the highest that is."""
    finite = losses[losses.isfinite() & (losses > 0)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (1e-3, 1.0)
    return losses.nan_to_num(nan=high, posinf=high, neginf=low).clamp(low, high).log10()


def surface_picture(losses: Tensor) -> Text:
    """Returns the losses (H, W) as coloured cells for the terminal: dark is low; the trained network is in the middle."""
    heights = _logarithms(losses).flip(0)
    low, high = float(heights.min()), float(heights.max())
    colors = heat_colors((heights - low) / max(high - low, 1e-12))
    return picture(colors.repeat_interleave(_CELL, dim=0).repeat_interleave(_CELL, dim=1), width=_CELL * losses.shape[1])
