"""What a network knows at each depth, as a figure and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from dlcli.contracts import Metric
from dlcli.report.figure import COLORS, clean, literal, new_figure, own_style, png
from dlcli.report.terminal import curve


@own_style
def probes_plot(probes: Mapping[str, Metric]) -> bytes:
    """Returns the accuracy of a linear probe at each depth with its interval, as PNG; the input is at the left."""
    figure = new_figure(max(4.6, 1.4 + 0.8 * len(probes)), 4.2)
    axes = figure.subplots()
    clean(axes, title="linear probe at each depth, 95 % intervals", x_label="depth, from the input on", y_label="accuracy (%)")
    values = [100 * probe.value for probe in probes.values()]
    low = [100 * (probe.value - (probe.value if probe.low is None else probe.low)) for probe in probes.values()]
    high = [100 * ((probe.value if probe.high is None else probe.high) - probe.value) for probe in probes.values()]
    axes.errorbar(range(len(values)), values, yerr=[low, high], fmt="o-", color=COLORS[0], capsize=4, linewidth=1.8)
    axes.set_xticks(range(len(values)), [literal(name.removeprefix("net."), 24) for name in probes], rotation=30, ha="right")
    return png(figure)


def probes_picture(probes: Mapping[str, Metric], *, width: int = 76) -> Text:
    """Returns the accuracies in percent over the depths, as a line in braille dots."""
    points = [(float(place), 100 * probe.value) for place, probe in enumerate(probes.values())]
    return curve({"linear probe (%)": points}, width=width, x_label="depth; 0 is the input")
