"""Gradient flow through the layers of a network, as a figure and for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.text import Text

from dlcli.report.figure import COLORS, clean, legend, literal, new_figure, nothing, own_style, png
from dlcli.report.terminal import curve

_PANELS = {
    "signal": ("gradient that arrives", "‖∂ℓ/∂output‖, mean of examples"),
    "activation": ("size of the outputs", "root mean square"),
    "share": ("weights' gradient", "‖∂L/∂W‖ / ‖W‖"),
}
_MARKERS = ("o-", "s--")
_LAYER_WIDTH = 0.36  # inches


class Flow(Protocol):
    """What passes one layer."""

    @property
    def name(self) -> str: ...
    @property
    def activation(self) -> float: ...
    @property
    def signal(self) -> float: ...
    @property
    def share(self) -> float: ...


@own_style
def flow_plot(lanes: Mapping[str, Sequence[Flow]]) -> bytes:
    """Returns a panel each for gradients, activations and weights' gradients over the layers, as PNG.

    The first layer is at the left, so backpropagation runs from right to left; a straight fall to the left on the logarithmic
    axis is a gradient that vanishes by the same factor in every layer.

    Args:
        lanes: layers in order by what they are of, such as "trained"; the same layers in each.
    """
    names = [flow.name for flow in next(iter(lanes.values()), ())]
    if not names:
        return nothing("no layer has weights")
    width = max(2.2 + _LAYER_WIDTH * len(names), 3.8)
    figure = new_figure(min(width, 9.0) * len(_PANELS), 4.2)
    for axes, (key, (title, unit)) in zip(figure.subplots(1, len(_PANELS), squeeze=False)[0], _PANELS.items(), strict=True):
        clean(axes, title=title, x_label="layer, from input to output", y_label=f"{unit} (logarithmic)")
        handles = [
            axes.plot(range(len(flows)), _positive(flows, key), marker, color=COLORS[number % len(COLORS)], markersize=5)[0]
            for number, (flows, marker) in enumerate(zip(lanes.values(), _MARKERS * len(lanes), strict=False))
        ]
        axes.set_yscale("log")
        axes.set_xticks(range(len(names)), [literal(name.removeprefix("net."), 24) for name in names], rotation=90, fontsize=8)
        if key == "signal":
            legend(axes, handles, list(lanes))
    return png(figure)


def _positive(flows: Sequence[Flow], key: str) -> list[float]:
    """The values, with a gap where a logarithm has none."""
    values = [getattr(flow, key) for flow in flows]
    return [value if value > 0 else math.nan for value in values]


def flow_picture(lanes: Mapping[str, Sequence[Flow]], *, width: int = 76) -> Text:
    """Returns log10 of the gradient that arrives at each layer, as lines in braille dots."""
    series = {
        lane: [(float(place), math.log10(flow.signal)) for place, flow in enumerate(flows, 1) if flow.signal > 0]
        for lane, flows in lanes.items()
    }
    return curve(series, width=width, x_label="layer; log10 of the gradient that arrives")
