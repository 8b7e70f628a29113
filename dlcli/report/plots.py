"""Figures as PNG bytes: curves over a run, the confusion matrix, and reliability."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from dlcli.contracts import Metric
from dlcli.report.curves import Line, draw, draw_band, metric_points, scale, x_axis
from dlcli.report.figure import COLORS, clean, legend, literal, new_figure, nothing, own_style, png, whole_numbers

_DASHES = ("-", "--", "-.", ":")
_SPLIT_COLORS = {"train": COLORS[0], "val": COLORS[1], "test": COLORS[2]}
_TITLES = {"loss": "loss", "accuracy": "accuracy (%)", "lr": "learning rate"}
_LEGEND_UP_TO = 12
_COUNTS_UP_TO = 20
_NAMES_UP_TO = 50


class Bin(Protocol):
    """One bin of a reliability diagram: examples whose confidence lies in (low, high]."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def count(self) -> int: ...
    @property
    def confidence(self) -> float: ...
    @property
    def accuracy(self) -> float: ...


@own_style
def training_curves(lines: Sequence[Line]) -> bytes:
    """Returns a panel each for loss, accuracy and learning rate over epochs (or steps), train against val, as PNG.

    Args:
        lines: those of ``metrics.jsonl``: ``{"step", "epoch", "split", "name", "value"}``. Other names are left out, and
            so is a panel without lines.
    """
    shown = [line for line in lines if line.get("name") in _TITLES and line.get("split") in _SPLIT_COLORS]
    names = [name for name in _TITLES if any(line["name"] == name for line in shown)]
    if not names:
        return nothing("no loss or accuracy was recorded")
    x = x_axis(shown)
    figure = new_figure(4.4 * len(names), 3.4)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        clean(axes, title=_TITLES[name], x_label=x)
        whole_numbers(axes.xaxis)
        lanes = {split: metric_points(shown, split, name, x) for split in _SPLIT_COLORS}
        drawn = {
            split: draw(axes, points, percent=name == "accuracy", color=_SPLIT_COLORS[split])
            for split, points in lanes.items()
            if points
        }
        if name == "accuracy" and (robust := metric_points(lines, "val", "robust_accuracy", x)):
            # Hollow, as after one epoch there is no dash yet to tell the points apart.
            own = {"linestyle": "--", "markerfacecolor": "white"}
            drawn["val, attacked"] = draw(axes, robust, percent=True, color=_SPLIT_COLORS["val"], **own)
        if name != "lr":
            legend(axes, list(drawn.values()), list(drawn))
        scale(axes, name, [y for points in lanes.values() for _, y in points])
    return png(figure)


@own_style
def overlaid_curves(
    runs: Mapping[str, Sequence[Line]],
    *,
    split: str,
    name: str,
    band: Callable[[Sequence[float]], Metric] | None = None,
) -> bytes:
    """Returns one metric of several runs in one plot, as PNG.

    Args:
        runs: the lines of each run's ``metrics.jsonl``, by the run's name.
        split, name: the metric, such as "val" and "accuracy" (drawn in percent).
        band: given (``metrics.intervals.mean_interval``), the runs are repeats, such as seeds: they are drawn pale under
            their mean and its interval at each x that all of them have.
    """
    chosen = {
        run: [line for line in lines if (line.get("split"), line.get("name")) == (split, name)] for run, lines in runs.items()
    }
    x = "epoch" if all(x_axis(lines) == "epoch" for lines in chosen.values()) else "step"
    percent = name.endswith("accuracy")
    lanes = {run: points for run, lines in chosen.items() if (points := metric_points(lines, split, name, x))}
    if not lanes:
        return nothing(f"no {split}/{name} was recorded")
    figure = new_figure(7.2, 4.0)
    axes = figure.subplots()
    clean(axes, title=f"{split} {name}" + (" (%)" if percent else ""), x_label=x)
    whole_numbers(axes.xaxis)
    if band is not None:
        draw_band(axes, lanes, percent=percent, band=band)
    else:
        styles = [
            {"color": COLORS[i % len(COLORS)], "linestyle": _DASHES[i // len(COLORS) % len(_DASHES)]} for i in range(len(lanes))
        ]
        handles = [draw(axes, points, percent=percent, **style) for points, style in zip(lanes.values(), styles, strict=True)]
        names = list(lanes)[:_LEGEND_UP_TO]
        more = f"{len(lanes)} runs, {_LEGEND_UP_TO} named" if len(lanes) > _LEGEND_UP_TO else None
        legend(axes, handles[: len(names)], names, loc="upper left", bbox_to_anchor=(1, 1), title=more)
    return png(figure)


@own_style
def confusion_plot(matrix: Tensor, classes: Sequence[str], *, title: str = "confusion matrix") -> bytes:
    """Returns a confusion matrix as PNG: colour is the share of the true class, counts stand in the cells up to 20 classes.

    Args:
        matrix: int64 (P, P), rows = truth.
        classes: P names.
        title: what the matrix is of; the number of examples follows.

    Raises:
        ValueError: the matrix is not (P, P).
    """
    count = len(classes)
    if matrix.shape != (count, count):
        raise ValueError(f"expected a matrix of {count} x {count}, got {tuple(matrix.shape)}")
    shares = (matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)).double()
    side = min(max(2.2 + 0.48 * count, 3.6), 11.0)
    figure = new_figure(side + 0.6, side)
    axes = figure.subplots()
    # The square root makes rare confusions visible beside a diagonal near 1.
    image = axes.imshow(shares.sqrt().numpy(), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(f"{title}, {int(matrix.sum())} examples", fontsize=11, loc="left")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if count <= _NAMES_UP_TO:
        names = [literal(name, 18) for name in classes]
        small = 9 if count <= _COUNTS_UP_TO else 6
        axes.set_xticks(range(count), names, rotation=0 if max(map(len, names)) <= 3 else 90, fontsize=small)
        axes.set_yticks(range(count), names, fontsize=small)
    if count <= _COUNTS_UP_TO:
        _counts(axes, matrix.tolist(), shares.tolist())
    marks = [0.0, 0.01, 0.1, 0.25, 0.5, 1.0]
    bar = figure.colorbar(image, ax=axes, shrink=0.8, ticks=[math.sqrt(mark) for mark in marks])
    bar.set_ticklabels([f"{100 * mark:g} %" for mark in marks])
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    return png(figure)


def _counts(axes: Any, counts: Sequence[Sequence[int]], shares: Sequence[Sequence[float]]) -> None:
    for row, line in enumerate(counts):
        for column, number in enumerate(line):
            if number:
                ink = "white" if shares[row][column] > 0.35 else "#222222"
                axes.text(column, row, str(number), ha="center", va="center", fontsize=8, color=ink)


@own_style
def reliability_plot(bins: Sequence[Bin], *, calibrated: Sequence[Bin] | None = None, positive: str | None = None) -> bytes:
    """Returns a reliability diagram as PNG: how often a chance came true against the chance, and each bin's count.

    Args:
        bins: such as ``metrics.calibration.reliability`` gives; empty ones are left out of the upper panel.
        calibrated: the same after temperature scaling, drawn as a line.
        positive: the class that the chances are of, where there are two; None where they are of the top label.
    """
    filled = [part for part in bins if part.count]
    if not filled:
        return nothing("no predictions to compare with their confidence")
    what, comes = ("confidence: top probability (%)", "accuracy") if positive is None else ("predicted chance (%)", "came true")
    figure = new_figure(4.6, 5.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.2])
    title = "reliability" if positive is None else f"reliability of p({positive})"
    clean(upper, title=title, x_label="", y_label=f"{comes} (%)")
    handles = {"as sure as right": upper.plot([0, 100], [0, 100], color="#555555", linestyle="--", linewidth=1)[0]}
    edges = [100 * part.low for part in filled]
    widths = [100 * (part.high - part.low) for part in filled]
    right = [100 * part.accuracy for part in filled]
    handles[f"{comes} in the bin"] = upper.bar(edges, right, widths, align="edge", color=COLORS[5], edgecolor="white")
    handles["at its mean chance"] = upper.plot([100 * part.confidence for part in filled], right, "o", color=COLORS[0])[0]
    if calibrated is not None:
        points = [(100 * part.confidence, 100 * part.accuracy) for part in calibrated if part.count]
        handles["after temperature scaling"] = upper.plot(*zip(*points, strict=True), "s-", color=COLORS[1], markersize=4)[0]
    legend(upper, list(handles.values()), list(handles), loc="upper left")
    upper.set(xlim=(0, 100), ylim=(0, 100))
    clean(lower, title="", x_label=what, y_label="examples")
    lower.bar(edges, [part.count for part in filled], widths, align="edge", color="#999999", edgecolor="white")
    lower.set_yscale("log")
    lower.set_ylim(bottom=0.7, top=max(part.count for part in filled) * 8)
    for edge, width, part in zip(edges, widths, filled, strict=True):
        lower.text(edge + width / 2, part.count * 1.2, str(part.count), ha="center", va="bottom", fontsize=6, rotation=90)
    return png(figure)
