"""The learning-rate range test: loss over the learning rate, as a figure and for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.text import Text

from dlcli.report import terminal
from dlcli.report.figure import COLORS, clean, legend, new_figure, nothing, own_style, png

_HEADROOM = 0.15  # share of the fall that is shown above the first loss: what explodes leaves the picture


@own_style
def range_plot(rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], marks: Mapping[str, float]) -> bytes:
    """Returns the loss of a range test over the learning rate (logarithmic) as PNG, with vertical lines at ``marks``.

    Args:
        rates: > 0, rising.
        losses: one per rate, as measured.
        smoothed: one per rate.
        marks: learning rates by name, such as "steepest"; the legend says their values.
    """
    if not rates:
        return nothing("the range test took no step")
    figure = new_figure(7.2, 4.0)
    axes = figure.subplots()
    clean(axes, title="learning-rate range test", x_label="learning rate", y_label="training loss")
    axes.set_xscale("log")
    drawn = [(name, rate) for name, rate in marks.items() if rate > 0]  # zero has no place on a logarithmic axis
    seen = [*rates, *(rate for _, rate in drawn)]
    axes.set(xlim=(min(seen) / 1.5, max(seen) * 1.5), ylim=_visible(losses, smoothed))
    handles = [
        axes.plot(rates, losses, ".", markersize=3, color="#999999")[0],
        axes.plot(rates, smoothed, linewidth=2, color=COLORS[0])[0],
    ]
    names = ["each step", "mean with its neighbours"]
    for number, (name, rate) in enumerate(drawn, start=1):
        style = ("--", "-.", ":")[(number - 1) % 3]
        handles.append(axes.axvline(rate, color=COLORS[number % len(COLORS)], linestyle=style, linewidth=1.5))
        names.append(f"{name}: {rate:.2g}")
    legend(axes, handles, names, loc="upper left", bbox_to_anchor=(1, 1))
    return png(figure)


def range_picture(rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], *, width: int) -> Text:
    """Returns the smoothed loss over the decimal logarithm of the learning rate for the terminal, ``width`` columns wide."""
    high = _visible(losses, smoothed)[1] if smoothed else math.inf
    points = [(math.log10(rate), min(loss, high)) for rate, loss in zip(rates, smoothed, strict=True)]
    return terminal.curve({"loss": points}, width=width, x_label="log10 of the learning rate")


def _visible(losses: Sequence[float], smoothed: Sequence[float]) -> tuple[float, float]:
    """The range of losses that is worth seeing: from the lowest one to somewhat above where the smoothed loss started."""
    finite = [loss for loss in (*losses, *smoothed) if math.isfinite(loss)] or [0.0]
    low, start = min(finite), smoothed[0] if math.isfinite(smoothed[0]) else max(finite)
    margin = max(_HEADROOM * (start - low), 1e-3 * abs(start), 1e-12)
    return low - margin / 3, start + 2 * margin
