"""The arms of a sweep against each other: their mean over seeds, with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dlcli.contracts import Metric
from dlcli.report.curves import Line, metric_points
from dlcli.report.figure import COLORS, clean, legend, new_figure, nothing, own_style, png, whole_numbers

Band = Callable[[Sequence[float]], Metric]
_PANELS = (("train", "accuracy"), ("val", "accuracy"))
_MOST = len(COLORS)
_ORDERS_FOR_A_LOG_AXIS = 20.0


@own_style
def arm_curves(arms: Mapping[str, Sequence[Sequence[Line]]], *, band: Band) -> bytes:
    """Returns accuracy over epochs on train and on val beside each other, as PNG: one line per arm, the mean of its runs.

    Args:
        arms: the lines of each run's ``metrics.jsonl``, by arm; a run that ended early counts as far as it went.
        band: gives the mean and its interval (``metrics.intervals.mean_interval``).
    """
    figure = new_figure(9.6, 3.8)
    drawn = {}
    for axes, (split, name) in zip(figure.subplots(1, 2, sharey=True), _PANELS, strict=True):
        clean(axes, title=f"{split} {name} (%)", x_label="epoch")
        whole_numbers(axes.xaxis)
        for place, (arm, runs) in enumerate(list(arms.items())[:_MOST]):
            tables = [dict(metric_points(lines, split, name, "epoch")) for lines in runs]
            epochs = sorted(set().union(*tables))
            if not epochs:
                continue
            means = [band([table[epoch] for table in tables if epoch in table]) for epoch in epochs]
            x, color = [epoch + 1 for epoch in epochs], COLORS[place]
            drawn[arm] = axes.plot(x, [100 * mean.value for mean in means], color=color, linewidth=1.8)[0]
            _shade(axes, x, means, color)
    if not drawn:
        return nothing("no accuracy was recorded")
    legend(figure.axes[1], list(drawn.values()), list(drawn), loc="upper left", bbox_to_anchor=(1, 1))
    return png(figure)


@own_style
def response_plot(lanes: Mapping[str, Mapping[float, Sequence[float]]], *, x_label: str, title: str, band: Band) -> bytes:
    """Returns a final figure against the number that was swept, as PNG; a line per other setting, mean and interval over seeds.

    Args:
        lanes: label → swept number → the share that each run reached, in [0, 1].
    """
    figure = new_figure(6.4, 3.8)
    axes = figure.subplots()
    clean(axes, title=f"{title} (%)", x_label=x_label)
    drawn = {}
    for (label, points), color in zip(lanes.items(), COLORS, strict=False):
        x = sorted(points)
        means = [band(points[number]) for number in x]
        drawn[label] = axes.plot(x, [100 * mean.value for mean in means], "o-", color=color, linewidth=1.8, markersize=4)[0]
        _shade(axes, x, means, color)
    numbers = [number for points in lanes.values() for number in points]
    if min(numbers) > 0 and max(numbers) > _ORDERS_FOR_A_LOG_AXIS * min(numbers):
        axes.set_xscale("log")
    legend(axes, list(drawn.values()), list(drawn), loc="upper left", bbox_to_anchor=(1, 1))
    return png(figure)


def _shade(axes: object, x: Sequence[float], means: Sequence[Metric], color: str) -> None:
    low = [100 * (mean.value if mean.low is None else max(mean.low, 0.0)) for mean in means]
    high = [100 * (mean.value if mean.high is None else min(mean.high, 1.0)) for mean in means]
    axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)  # type: ignore[attr-defined]
