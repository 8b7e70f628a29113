"""Accuracy against the number of labels: one line per way of training, with its interval over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.text import Text

from dlcli.contracts import Metric
from dlcli.report import terminal
from dlcli.report.figure import COLORS, clean, legend, new_figure, own_style, png

X_LABEL = "labels per class"
Curves = Mapping[str, Mapping[int, Metric]]


@own_style
def learning_curve_plot(curves: Curves, *, title: str) -> bytes:
    """Returns accuracy in percent over labels per class, on a logarithmic axis, as PNG.

    Points are means, bars and the bands between them their intervals, cut to 0 … 100 %; an interval that is not known has none.

    Args:
        curves: line → labels per class → mean accuracy in [0, 1]; each line has the same counts, one or more.
    """
    figure = new_figure(7.2, 4.0)
    axes = figure.subplots()
    clean(axes, title=title, x_label=X_LABEL, y_label="test accuracy (%)")
    axes.set_xscale("log")
    _label_counts(axes, sorted({count for means in curves.values() for count in means}))
    drawn = {}
    for (name, means), color in zip(curves.items(), COLORS, strict=False):
        x = sorted(means)
        values = [100 * means[count].value for count in x]
        low = [100 * max(_or(means[count].low, means[count].value), 0.0) for count in x]
        high = [100 * min(_or(means[count].high, means[count].value), 1.0) for count in x]
        errors = [[value - bound for value, bound in zip(values, low, strict=True)]]
        errors.append([bound - value for value, bound in zip(values, high, strict=True)])
        axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
        drawn[name] = axes.errorbar(x, values, yerr=errors, fmt="o-", color=color, linewidth=1.8, markersize=4, capsize=3)
    legend(axes, list(drawn.values()), list(drawn), loc="upper left", bbox_to_anchor=(1, 1))
    return png(figure)


def learning_curve_picture(curves: Curves, *, width: int) -> Text:
    """Returns the means alone for the terminal; see :func:`learning_curve_plot`."""
    series = {name: [(float(count), 100 * means[count].value) for count in sorted(means)] for name, means in curves.items()}
    return terminal.curve(series, width=width, x_label=X_LABEL, log_x=True)


def _label_counts(axes: object, counts: list[int]) -> None:
    """Ticks at the counts that were tried, as plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis = axes.xaxis  # type: ignore[attr-defined]
    axis.set_major_locator(FixedLocator(counts))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:.0f}"))
    margin = 1.15 if len(counts) > 1 else 2.0
    axes.set_xlim(counts[0] / margin, counts[-1] * margin)  # type: ignore[attr-defined]


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None or not math.isfinite(value) else value
