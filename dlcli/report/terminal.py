"""Pictures, galleries, curves and confusion matrices for the terminal, as Rich renderables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.style import Style
from rich.table import Table
from rich.text import Text
from torch import Tensor

from dlcli.contracts import Metric
from dlcli.report.braille import Canvas, Range, sample, x_axis
from dlcli.report.confusion import ConfusionPicture
from dlcli.report.text import safe

# Characters of rising ink for terminals without colour; light pixels get more, as terminals are mostly dark.
_SHADES = " .:-=+*#%@"
# Okabe and Ito 2008, "Color universal design", those that are readable on black and on white.
_LINE_COLORS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2")
_GUTTER = 2


def interval(metric: Metric, percent: bool = True) -> str:
    """Returns ``99.41 % [99.24, 99.54]``, or with ``percent=False`` four digits; no bounds where none are known; NaN as –."""
    if not math.isfinite(metric.value):
        return "–"

    def number(value: float) -> str:
        return f"{100 * value:.2f}" if percent else f"{value:.4g}"

    shown = number(metric.value) + (" %" if percent else "")
    if metric.low is None or metric.high is None:
        return shown
    return f"{shown} [{number(metric.low)}, {number(metric.high)}]"


def picture(image: Tensor, *, width: int | None, color: bool = True) -> Text:
    """Returns an image as half blocks: one column per pixel, two pixel rows per line.

    Args:
        image: uint8 (H, W, 3).
        width: columns at most; a wider image is averaged down with its shape kept, a narrower one stays as it is.
            None draws every pixel.
        color: False draws shades of ink instead, for terminals without colours.
    """
    pixels = _shrink(image, width) if width is not None and width < image.shape[1] else image.cpu()
    lines = _color_lines(pixels) if color else _shade_lines(pixels)
    return Text("\n", no_wrap=True, overflow="crop").join(lines)


def _shrink(image: Tensor, width: int) -> Tensor:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    channels_first = image.cpu().permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(channels_first, size=(height, max(width, 1)), mode="area")
    return small[0].permute(1, 2, 0).round().to(torch.uint8)


def _hex(pixel: Sequence[int]) -> str:
    red, green, blue = pixel
    return f"#{red:02x}{green:02x}{blue:02x}"


def _color_lines(pixels: Tensor) -> list[Text]:
    rows = pixels.tolist()
    lines = []
    for number in range(0, len(rows), 2):
        line = Text()
        below = rows[number + 1] if number + 1 < len(rows) else [None] * len(rows[number])
        for (top, bottom), run in groupby(zip(rows[number], below, strict=True)):
            line.append("▀" * len(list(run)), Style(color=_hex(top), bgcolor=_hex(bottom) if bottom else None))
        lines.append(line)
    return lines


def _shade_lines(pixels: Tensor) -> list[Text]:
    luminance = pixels.float() @ torch.tensor([0.2126, 0.7152, 0.0722]) / 255
    pairs = [luminance[number : number + 2].mean(dim=0) for number in range(0, len(luminance), 2)]
    return [Text("".join(_SHADES[round(value * (len(_SHADES) - 1))] for value in pair.tolist())) for pair in pairs]


@dataclass(frozen=True)
class Gallery:
    """Images with captions, as many in a row as the console is wide; see :func:`gallery`."""

    images: Tensor
    captions: tuple[Text, ...]
    columns: int | None
    cell: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cell = min(self.cell, options.max_width)
        fitting = max(1, (options.max_width + _GUTTER) // (cell + _GUTTER))
        across = max(1, min(fitting, self.columns or fitting, len(self.images)))
        color = console.color_system is not None
        pairs = zip(self.images, self.captions, strict=True)
        drawn = [Group(picture(image, width=cell, color=color), caption) for image, caption in pairs]
        for start in range(0, len(drawn), across):
            grid = Table.grid(padding=(0, _GUTTER, 0, 0), pad_edge=False)
            for _ in range(across):
                grid.add_column(width=cell)
            grid.add_row(*drawn[start : start + across])
            if start:
                yield Text("")
            yield grid


def gallery(images: Tensor, captions: Sequence[Text | str], *, columns: int | None = None, cell: int = 38) -> Gallery:
    """Returns images beside and below each other, each with its caption below it.

    Args:
        images: uint8 (N, H, W, 3).
        captions: N of them; control characters are escaped, markup is not interpreted.
        columns: images in a row at most; None is as many as fit.
        cell: columns of one image at most; larger images are averaged down, smaller ones (28, 32 pixels) are exact.

    Raises:
        ValueError: another number of captions than images.
    """
    if len(images) != len(captions):
        raise ValueError(f"expected a caption for each of {len(images)} images, got {len(captions)}")
    width = min(cell, int(images.shape[2])) if len(images) else cell
    return Gallery(images, tuple(_caption(caption) for caption in captions), columns, width)


def _caption(caption: Text | str) -> Text:
    if isinstance(caption, str):
        return Text(safe(caption))
    return caption if safe(caption.plain) == caption.plain else Text(safe(caption.plain))


def curve(
    series: Mapping[str, Sequence[tuple[float, float]]], *, width: int, height: int = 10, x_label: str = "", log_x: bool = False
) -> Text:
    """Returns lines of (x, y) points in braille dots, with the range of y on the left, of x below, and a legend.

    Non-finite points are left out. Lines differ in colour and in dashes; the legend gives each line's last value.

    Args:
        series: points by name, drawn in order, so that the last is on top.
        width: columns of the whole picture, labels included.
        height: lines of the plot itself.
        x_label: what x is, such as "epoch".
        log_x: equal ratios of x, all above 0, are equally far apart.
    """
    lines = {name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)] for name, points in series.items()}
    flat = [point for points in lines.values() for point in points]
    if not flat:
        return Text("no finite values to draw", style="dim")
    across, up = Range.of([x for x, _ in flat]), Range.of([y for _, y in flat])
    place = Range.of([math.log(x) for x, _ in flat]) if log_x else across
    middle = up.high - (up.high - up.low) * (4 * (height // 2) + 1.5) / (4 * height - 1)
    ticks = {height // 2: f"{middle:.4g}", height - 1: f"{up.low:.4g}", 0: f"{up.high:.4g}"}
    margin = max(len(tick) for tick in ticks.values())
    canvas = Canvas(max(width - margin - 2, 8), height)
    for number, points in enumerate(lines.values()):
        if points:
            canvas.draw([(place.scale(math.log(x) if log_x else x), up.scale(y)) for x, y in points], line=number)
    text = Text(no_wrap=True)
    for row, cells in enumerate(canvas.cells()):
        text.append(f"{ticks.get(row, ''):>{margin}} {'┤' if row in ticks else '│'}", "dim")
        for character, owner in cells:
            text.append(character, _LINE_COLORS[owner % len(_LINE_COLORS)])
        text.append("\n")
    text.append(x_axis(across, canvas.width, margin=margin + 1, label=safe(x_label)), "dim")
    text.append("\n" + " " * (margin + 2))
    return text.append_text(_legend(lines))


def _legend(lines: Mapping[str, Sequence[tuple[float, float]]]) -> Text:
    entries = []
    for number, (name, points) in enumerate(lines.items()):
        last = f" {points[-1][1]:.4g}" if points else " –"
        entries.append(
            Text.assemble((sample(number), _LINE_COLORS[number % len(_LINE_COLORS)]), f" {safe(name)}", (last, "bold"))
        )
    return Text("   ").join(entries)


def confusion_picture(matrix: Tensor, classes: Sequence[str]) -> ConfusionPicture:
    """Returns a confusion matrix as coloured cells with counts; with more than 20 classes, or where the console is too
    narrow, the ten most confused pairs.

    Args:
        matrix: int64 (P, P), rows = truth. Colour is the share of the row.
        classes: P names.

    Raises:
        ValueError: the matrix is not (P, P).
    """
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"expected a matrix of {len(classes)} x {len(classes)}, got {tuple(matrix.shape)}")
    return ConfusionPicture(matrix.cpu(), tuple(classes))
