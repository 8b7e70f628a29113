"""Metric lines of ``metrics.jsonl`` drawn on matplotlib axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlcli.contracts import Metric
from dlcli.report.figure import COLORS, legend

_SMOOTH_FROM = 200

Line = Mapping[str, Any]
Points = list[tuple[float, float]]


def metric_points(lines: Sequence[Line], split: str, name: str, x: str) -> Points:
    """Returns the (x, value) pairs of one metric, in order of x; a value that is null or not finite becomes a gap."""
    chosen = [line for line in lines if line.get("split") == split and line.get("name") == name and line.get(x) is not None]
    values = [(float(line[x]), math.nan if line.get("value") is None else float(line["value"])) for line in chosen]
    return sorted(values, key=lambda point: point[0])


def x_axis(lines: Sequence[Line]) -> str:
    """Returns "epoch" where every metric has one value per epoch, else "step"."""
    seen = [(line.get("split"), line.get("name"), line.get("epoch")) for line in lines]
    return "epoch" if all(epoch is not None for *_, epoch in seen) and len(set(seen)) == len(seen) else "step"


def draw(axes: Any, points: Points, *, percent: bool, **style: Any) -> Any:
    """Draws one line and returns it; a long one is pale under its running mean over a fiftieth of its length."""
    xs, ys = [x for x, _ in points], [100 * y if percent else y for _, y in points]
    if len(points) >= _SMOOTH_FROM:
        axes.plot(xs, ys, alpha=0.25, linewidth=0.8, **style)
        half = len(points) // 100
        windows = [[y for y in ys[max(place - half, 0) : place + half + 1] if math.isfinite(y)] for place in range(len(ys))]
        ys = [sum(window) / len(window) if window else math.nan for window in windows]
    marker = "o" if len(points) <= 30 else None
    return axes.plot(xs, ys, linewidth=1.8, marker=marker, markersize=3, **style)[0]


def scale(axes: Any, name: str, values: Sequence[float]) -> None:
    """Loss over more than a factor of 30 is shown on a logarithmic axis; a learning rate starts at 0."""
    finite = [value for value in values if math.isfinite(value)]
    if name == "loss" and finite and 0 < 30 * min(finite) < max(finite):
        axes.set_yscale("log")
        axes.set_ylabel("logarithmic")
    elif name == "lr":
        axes.set_ylim(bottom=0)


def draw_band(axes: Any, lanes: Mapping[str, Points], *, percent: bool, band: Callable[[Sequence[float]], Metric]) -> None:
    """Draws repeats pale, and at each x that all of them have their mean and its interval, as ``band`` gives them."""
    factor = 100 if percent else 1
    for points in lanes.values():
        axes.plot([x for x, _ in points], [factor * y for _, y in points], color=COLORS[0], alpha=0.25, linewidth=0.8)
    tables = [dict(points) for points in lanes.values()]
    shared = sorted(set.intersection(*(set(table) for table in tables)))
    means = [band([table[x] for table in tables]) for x in shared]
    low = [factor * (mean.value if mean.low is None else mean.low) for mean in means]
    high = [factor * (mean.value if mean.high is None else mean.high) for mean in means]
    fill = axes.fill_between(shared, low, high, color=COLORS[0], alpha=0.2, linewidth=0)
    line = axes.plot(shared, [factor * mean.value for mean in means], color=COLORS[0], linewidth=2)[0]
    legend(axes, [line, fill], [f"mean of {len(lanes)} runs", "95 % interval of the mean"])
