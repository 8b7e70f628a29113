"""What a watched fit saw of its layers: heat maps of layers over steps, a picture for the terminal, and the words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from dlcli.report.curves import Line
from dlcli.report.figure import clean, literal, new_figure, nothing, own_style, png
from dlcli.report.text import shorten

_PREFIX = "watch/"
# Panels of the figure: the measurements that share one, its title, and whether its colours are logarithmic.
_PANELS = (
    (("grad_norm",), "gradient norm", True),
    (("update_ratio",), "update relative to the weights", True),
    (("dead", "saturated"), "idle units: dead (ReLU) or saturated (sigmoid, tanh), %", False),
)
_NAMED_UP_TO = 60
_FAINT, _STRONG = 1e-3, 1e3  # first layer's gradient relative to the last one's
_MANY_IDLE = 0.5
_LEAST_SPAN = 100.0  # between the ends of a logarithmic scale, so that small differences look small
_BLOCKS = " ▏▎▍▌▋▊▉█"

Table = dict[str, dict[int, float]]


def measured(lines: Sequence[Line], what: str) -> Table:
    """Returns layer → step → value of one measurement, such as "grad_norm", layers in the model's order; null becomes NaN."""
    found: Table = {}
    for line in lines:
        name = str(line.get("name"))
        if line.get("split") == "train" and name.startswith(f"{_PREFIX}{what}/"):
            value = line.get("value")
            found.setdefault(name.split("/", 2)[2], {})[int(line["step"])] = math.nan if value is None else float(value)
    return found


@own_style
def watch_plot(lines: Sequence[Line]) -> bytes:
    """Returns heat maps of layers (first at the top) over the watched steps as PNG: gradients, updates and idle units.

    Args:
        lines: those of ``metrics.jsonl``; other names are left out, and so is a panel without lines.
    """
    panels = [
        (table, title, logarithmic)
        for whats, title, logarithmic in _PANELS
        if (table := {layer: row for what in whats for layer, row in measured(lines, what).items()})
    ]
    if not panels:
        return nothing("no layer was watched")
    heights = [min(max(0.2 * len(table), 0.9), 9.0) for table, *_ in panels]
    figure = new_figure(8.0, sum(heights) + 0.85 * len(panels))
    every = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (table, title, logarithmic) in zip(every, panels, strict=True):
        _heat_map(figure, axes, table, title=title, logarithmic=logarithmic)
    return png(figure)


def _heat_map(figure: Any, axes: Any, table: Table, *, title: str, logarithmic: bool) -> None:
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    steps = sorted({step for row in table.values() for step in row})
    values = np.array([[row.get(step, math.nan) for step in steps] for row in table.values()])
    hidden = ~np.isfinite(values) | (logarithmic & (values <= 0))
    shown = np.ma.masked_where(hidden, values if logarithmic else 100 * values)
    if logarithmic:
        low, high = (float(shown.min()), float(shown.max())) if shown.count() else (1.0, 1.0)
        scale: Any = LogNorm(min(low, high / _LEAST_SPAN), high)
    else:
        scale = Normalize(0, 100)
    clean(axes, title=title, x_label="step")
    axes.grid(visible=False)
    cells = colormaps["cividis"].with_extremes(bad="#bbbbbb")
    image = axes.imshow(shown, aspect="auto", interpolation="nearest", cmap=cells, norm=scale)
    places = sorted({round(part * (len(steps) - 1) / 5) for part in range(6)})
    axes.set_xticks(places, [str(steps[place]) for place in places], fontsize=8)
    names = [literal(_short(name), 34) for name in table]
    axes.set_yticks(range(len(names)) if len(names) <= _NAMED_UP_TO else [], names if len(names) <= _NAMED_UP_TO else [])
    axes.tick_params(axis="y", labelsize=7)
    figure.colorbar(image, ax=axes, pad=0.01).outline.set_visible(False)
    if hidden.any():
        axes.set_title("grey: zero, or not finite" if logarithmic else "grey: not finite", fontsize=8, loc="right")


def watch_picture(lines: Sequence[Line], *, width: int, rows: int = 24) -> Text:
    """Returns the gradient norm of each layer at the last watched step as bars on a logarithmic scale, for the terminal.

    Args:
        width: columns of the whole picture.
        rows: layers shown at most, evenly chosen, the first and the last among them.
    """
    latest = {layer: row[max(row)] for layer, row in measured(lines, "grad_norm").items()}
    finite = [math.log10(value) for value in latest.values() if 0 < value < math.inf]
    if not finite:
        return Text("no finite gradient was watched", style="dim")
    layers = list(latest)
    if len(layers) > rows:
        layers = [layers[round(place * (len(layers) - 1) / (rows - 1))] for place in range(rows)]
    named = {layer: shorten(_short(layer), 28) for layer in layers}
    margin = max(map(len, named.values()))
    high, across = math.ceil(max(finite)), max(width - margin - 12, 8)
    low = min(math.floor(min(finite)), high - round(math.log10(_LEAST_SPAN)))
    span = high - low
    text = Text(no_wrap=True).append(f"gradient norm, ten times as large every {across / span:.2g} columns\n", "dim")
    for layer, name in named.items():
        value = latest[layer]
        filled = (math.log10(value) - low) / span * across if 0 < value < math.inf else 0.0
        whole, part = divmod(round(8 * filled), 8)
        text.append(f"{name:>{margin}} ", "dim").append(f" {'█' * whole}{_BLOCKS[part].strip()}", "#56b4e9")
        text.append(f" {value:.1e}\n", "bold")
    text.right_crop(1)
    return text


def watch_words(lines: Sequence[Line]) -> list[str]:
    """Returns what a watched fit means, a sentence each: do gradients reach the first layer, are units idle."""
    words = []
    gradients = measured(lines, "grad_norm")
    if len(gradients) > 1:
        words.append(_said_of_gradients(gradients))
    for what, share, cure in (
        ("dead", "dead for the whole batch", "a smaller optimizer.lr, He's initialisation or leaky_relu"),
        ("saturated", "saturated", "ReLU, smaller initial weights or normalisation"),
    ):
        latest = {layer: row[max(row)] for layer, row in measured(lines, what).items()}
        latest = {layer: value for layer, value in latest.items() if math.isfinite(value)}
        if latest and not any(latest.values()):
            words.append(f"no {'unit is dead' if what == 'dead' else 'value is saturated'}")
        elif latest:
            worst = max(latest, key=lambda layer: latest[layer])
            help_ = f"; {cure} would help" if latest[worst] >= _MANY_IDLE else ""
            units = "units" if what == "dead" else "values"
            most = f"at most {100 * latest[worst]:.0f} %" if latest[worst] >= 0.01 else "less than 1 %"
            words.append(f"{most} of a layer's {units} are {share} ({_short(worst)}){help_}")
    return words


def _said_of_gradients(gradients: Mapping[str, Mapping[int, float]]) -> str:
    first, *_, last = gradients
    pairs = [(gradients[first][step], gradients[last].get(step, math.nan)) for step in gradients[first]]
    logs = [math.log10(top / bottom) for top, bottom in pairs if 0 < top < math.inf and 0 < bottom < math.inf]
    if not logs:
        return f"no gradient reaches {_short(first)}: it is zero or not finite at every watched step"
    ratio = 10 ** (sum(logs) / len(logs))
    steps = f"geometric mean of {len(logs)} step{'s' if len(logs) > 1 else ''}"
    said = f"the gradient of {_short(first)} is {ratio:.2g} times that of {_short(last)} ({steps})"
    if ratio < _FAINT:
        return f"{said}: it vanishes on its way; ReLU, normalisation, He's initialisation or skip connections would help"
    if ratio > _STRONG:
        return f"{said}: it explodes on its way; smaller initial weights, normalisation or trainer.clip_norm=1 would help"
    return f"{said}: it reaches the first layer"


def _short(layer: str) -> str:
    """The layer's name inside the network, as every model of ours is called ``net``."""
    return layer.removeprefix("net.")
