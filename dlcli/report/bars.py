"""Columns of a table by what they weigh: bars with intervals, two measures beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlcli.contracts import Metric
from dlcli.report.figure import COLORS, clean, literal, new_figure, own_style, png


@own_style
def column_bars(panels: Mapping[str, Mapping[str, Metric]], columns: Sequence[str], *, title: str) -> bytes:
    """Returns a panel of bars for each measure, as PNG; the columns stand in the order given, from the top.

    Args:
        panels: x label → column → value with its interval.
    """
    figure = new_figure(1.8 + 3.8 * len(panels), 1.3 + 0.27 * len(columns))
    row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for place, (axes, (label, values)) in enumerate(zip(row, panels.items(), strict=True)):
        clean(axes, title=title if place == 0 else "", x_label=label)
        axes.grid(axis="y", visible=False)
        axes.axvline(0, color="#888888", linewidth=0.8)
        for height, name in enumerate(columns):
            metric = values[name]
            axes.barh(height, metric.value, color=COLORS[place], height=0.7)
            if metric.low is not None and metric.high is not None:
                axes.plot([metric.low, metric.high], [height, height], color="black", linewidth=1)
        axes.set_yticks(range(len(columns)), [literal(name, 28) for name in columns])
    row[0].invert_yaxis()
    return png(figure)
