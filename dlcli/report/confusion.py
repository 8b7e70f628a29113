"""The confusion matrix as a Rich renderable that fits itself to the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.table import Table
from rich.text import Text
from torch import Tensor

from dlcli.report.images import heat_colors
from dlcli.report.text import shorten

_CELLS_UP_TO = 20
_PAIRS = 10
_RIGHT = (0, 84, 147)


@dataclass(frozen=True)
class ConfusionPicture:
    """A confusion matrix as heat cells, or its most confused pairs where it does not fit; see
    :func:`dlcli.report.terminal.confusion_picture`.

    Args:
        matrix: int64 (P, P) on the CPU, rows = truth.
        classes: P names.
    """

    matrix: Tensor
    classes: tuple[str, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = [_numbered(number, name) for number, name in enumerate(self.classes)]
        label = max([len("true"), *(cell_len(name) for name in names)])
        cell = max(len(str(int(self.matrix.max()))), len(str(len(names) - 1))) + 2
        fits = len(names) <= _CELLS_UP_TO and label + 1 + cell * len(names) <= options.max_width
        yield self._cells(names, label, cell) if fits else self._pairs(names)

    def _cells(self, names: Sequence[str], label: int, cell: int) -> Text:
        shares = self.matrix / self.matrix.sum(dim=1, keepdim=True).clamp(min=1)
        # The square root lifts rare confusions above black; the diagonal has its own hue.
        heat = heat_colors(0.15 + 0.75 * shares.sqrt()).tolist()
        text = Text("true".ljust(label + 1), no_wrap=True)
        text.append("".join(f"{number:>{cell - 1}} " for number in range(len(names))) + " predicted", "dim")
        for row, counts in enumerate(self.matrix.tolist()):
            text.append("\n" + names[row] + " " * (label + 1 - cell_len(names[row])))
            for column, count in enumerate(counts):
                right = row == column
                style = _cell_style(_RIGHT if right else heat[row][column]) if count else Style(dim=True)
                text.append(f"{count or '·':>{cell - 1}} ", style)
        return text

    def _pairs(self, names: Sequence[str]) -> Table | Text:
        wrong = self.matrix - torch.diag(self.matrix.diagonal())
        order = wrong.flatten().argsort(descending=True, stable=True)[:_PAIRS]
        totals = self.matrix.sum(dim=1).tolist()
        table = Table(box=SIMPLE)
        for header in ("true", "predicted"):
            table.add_column(header, no_wrap=True)
        for header in ("times", "of class"):
            table.add_column(header, justify="right", no_wrap=True, min_width=len(header))
        for place in order.tolist():
            row, column = divmod(place, len(names))
            count = int(wrong[row, column])
            if count:
                table.add_row(Text(names[row]), Text(names[column]), str(count), f"{100 * count / totals[row]:.1f} %")
        return table if table.row_count else Text("no class was taken for another")


def _cell_style(pixel: Sequence[int]) -> Style:
    red, green, blue = pixel
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 140
    return Style(color="#000000" if light else "#ffffff", bgcolor=f"#{red:02x}{green:02x}{blue:02x}")


def _numbered(number: int, name: str) -> str:
    """The name after its number, unless it begins with that number itself."""
    same = name == str(number) or name.startswith(f"{number} ")
    return shorten(name if same else f"{number} {name}", 20)
