"""Where a classifier of points in the plane changes its mind: as a figure and for the terminal.

Letters in shapes: W and H grid points across and up, N points, P classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from rich.text import Text
from torch import Tensor

from dlcli.report.braille import Range, x_axis
from dlcli.report.figure import COLORS, clean, legend, literal, new_figure, own_style, png
from dlcli.report.text import safe, shorten

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_FEW = 16  # so many points are drawn large, each with its class inside
_SHORT = 3  # letters that fit in there
_DRAWN_UP_TO = 4000
_PALE, _SURE = 0.12, 0.5  # share of a class's colour where the model is undecided, and where it is sure
_SHADES = "·░▒▓:-+="
_INKS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2")


@own_style
def boundary_plot(
    grid_x: Tensor,
    grid_y: Tensor,
    probability: Tensor,
    *,
    points: Tensor,
    targets: Tensor,
    classes: Sequence[str],
    column_names: Sequence[str],
) -> bytes:
    """Returns the regions of the classes as PNG: paler where the model is less sure, black where it changes its mind.

    Args:
        grid_x: float (W,), rising; the first column's values.
        grid_y: float (H,), rising; the second column's values.
        probability: float (H, W, P), or (H, W), the probability of the second of two classes; row i belongs to ``grid_y[i]``.
        points: float (N, 2), such as the training examples; of more than 4000 an even selection is drawn.
        targets: their class numbers, int64 (N,).
        classes: P names.
        column_names: of the two columns.

    Raises:
        ValueError: a shape does not fit.
    """
    chances = _checked(grid_x, grid_y, probability, classes)
    figure = new_figure(6.6, 4.8)
    axes = figure.subplots()
    across, up = grid_x.tolist(), grid_y.tolist()
    clean(axes, title=f"decision boundary, {len(points)} points", x_label="")
    axes.set_xlabel(literal(column_names[0], 60))
    axes.set_ylabel(literal(column_names[1], 60))
    axes.grid(visible=False)
    axes.imshow(
        _colours(chances).numpy(),
        extent=(*_edges(across), *_edges(up)),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    line = _boundaries(axes, across, up, chances)
    handles, names = _points(axes, *_finite(points, targets), classes)
    if line:
        handles.append(axes.plot([], [], color="black", linewidth=1.5)[0])
        names.append("p = 0.5" if len(classes) == 2 else "boundary")
    axes.set(xlim=_edges(across), ylim=_edges(up))
    legend(axes, handles, names, loc="upper left", bbox_to_anchor=(1, 1))
    return png(figure)


def boundary_picture(
    grid_x: Tensor,
    grid_y: Tensor,
    probability: Tensor,
    *,
    points: Tensor,
    targets: Tensor,
    classes: Sequence[str],
    column_names: Sequence[str],
    width: int = 56,
    height: int = 16,
) -> Text:
    """Returns the same for the terminal: a shade for each class's region, and a letter or digit for each point.

    Shades and letters differ without colours too. Arguments and errors are those of :func:`boundary_plot`.

    Args:
        width: columns of the whole picture, labels included.
        height: lines of the plane itself.
    """
    chances = _checked(grid_x, grid_y, probability, classes)
    right, up = Range(float(grid_x[0]), float(grid_x[-1])), Range(float(grid_y[0]), float(grid_y[-1]))
    ticks = {0: f"{up.high:.4g}", height - 1: f"{up.low:.4g}"}
    margin = max(map(len, ticks.values()))
    columns = max(width - margin - 2, 8)
    rows_at = torch.linspace(len(grid_y) - 1, 0, height).round().long()
    columns_at = torch.linspace(0, len(grid_x) - 1, columns).round().long()
    regions = chances.argmax(dim=2)[rows_at][:, columns_at].tolist()
    letters = _letters(classes)
    there = {}
    points, targets = _finite(points, targets)
    for (x, y), target in zip(points.tolist(), targets.tolist(), strict=True):
        column, row = round(right.scale(x) * (columns - 1)), round((1 - up.scale(y)) * (height - 1))
        there[row, column] = target
    text = Text(no_wrap=True).append(f"{'':{margin}}  {shorten(column_names[1], max(columns, 1))}\n", "dim")
    for row, line in enumerate(regions):
        text.append(f"{ticks.get(row, ''):>{margin}} {'┤' if row in ticks else '│'}", "dim")
        for column, region in enumerate(line):
            own = there.get((row, column))
            if own is None:
                text.append(_SHADES[region % len(_SHADES)], _INKS[region % len(_INKS)])
            else:
                text.append(letters[own], f"bold {_INKS[own % len(_INKS)]}")
        text.append("\n")
    text.append(x_axis(right, columns, margin=margin + 1, label=shorten(column_names[0], max(columns // 2, 1))), "dim")
    text.append("\n" + " " * (margin + 2))
    for number, name in enumerate(classes):
        ink = _INKS[number % len(_INKS)]
        text.append(letters[number], f"bold {ink}").append(_SHADES[number % len(_SHADES)] * 2, ink).append(f" {safe(name)}   ")
    text.rstrip()
    return text


def _checked(grid_x: Tensor, grid_y: Tensor, probability: Tensor, classes: Sequence[str]) -> Tensor:
    """Returns the probabilities as (H, W, P) on the CPU. Raises ValueError."""
    chances = torch.stack([1 - probability, probability], dim=2) if probability.ndim == 2 else probability
    expected = (len(grid_y), len(grid_x), len(classes))
    if chances.shape != expected:
        raise ValueError(f"probability must be {expected} for the grid and the classes, got {tuple(chances.shape)}")
    if min(expected[:2]) < 2:
        raise ValueError(f"the grid must have two points each way at least, got {expected[1]} x {expected[0]}")
    return chances.detach().cpu().double()


def _finite(points: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the points that have a place, on the CPU: a missing value has none."""
    has_place = points.isfinite().all(dim=1)
    return points[has_place].cpu(), targets[has_place].cpu()


def _colours(chances: Tensor) -> Tensor:
    """Returns the picture of the regions, float (H, W, 3) in [0, 1]: a class's colour on white, fuller where it is surer."""
    own = torch.tensor([_rgb(COLORS[number % len(COLORS)]) for number in range(chances.shape[2])], dtype=torch.float64)
    surest, answer = chances.max(dim=2)
    least = 1 / chances.shape[2]
    share = _PALE + (_SURE - _PALE) * ((surest - least) / (1 - least)).clamp(0, 1)[..., None]
    return (1 - share) + share * own[answer]


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _edges(values: Sequence[float]) -> tuple[float, float]:
    """The outer edges of the cells around evenly spaced grid points."""
    half = (values[-1] - values[0]) / (2 * (len(values) - 1))
    return values[0] - half, values[-1] + half


def _boundaries(axes: Any, across: list[float], up: list[float], chances: Tensor) -> bool:
    """Draws the lines on which a class is as likely as the best other one; returns whether there are any."""
    count, drawn = chances.shape[2], False
    for number in range(1 if count == 2 else 0, count):
        others = chances[..., [other for other in range(count) if other != number]].amax(dim=2)
        lead = chances[..., number] - others
        if bool((lead > 0).any()) and bool((lead < 0).any()):
            axes.contour(across, up, lead.numpy(), levels=[0.0], colors="black", linewidths=1.5)
            drawn = True
    return drawn


def _points(axes: Any, points: Tensor, targets: Tensor, classes: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Draws the points by class; returns a handle and a name for each class that has some."""
    step = -(-len(points) // _DRAWN_UP_TO) or 1
    shown, own = points[::step], targets[::step]
    few = len(shown) <= _FEW
    handles, names = [], []
    for number, name in enumerate(classes):
        mine = shown[own == number].tolist()
        if not mine:
            continue
        marker, colour = _MARKERS[number % len(_MARKERS)], COLORS[number % len(COLORS)]
        look = {
            "marker": marker,
            "color": colour,
            "edgecolors": "white",
            "s": 340 if few else 22,
            "linewidths": 1.5 if few else 0.6,
        }
        axes.scatter([x for x, _ in mine], [y for _, y in mine], zorder=3, **look)
        handles.append(axes.plot([], [], marker, color=colour)[0])
        names.append(name)
        for x, y in mine if few and len(name) <= _SHORT else ():
            axes.text(x, y, literal(name), color="white", ha="center", va="center", zorder=4, fontsize=9, clip_on=True)
    return handles, names


def _letters(classes: Sequence[str]) -> list[str]:
    """One character for each class: its first one where these differ, else digits and letters in order."""
    first = [name[:1] for name in classes]
    if all(letter.isascii() and letter.isalnum() for letter in first) and len(set(first)) == len(first):
        return first
    endless = itertools.cycle("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return [next(endless) for _ in classes]
