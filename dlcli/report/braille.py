"""A canvas of braille dots: each character cell holds 2 x 4 dots, the finest grid that a terminal can draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Bit of the dot at (row, column) inside a cell. Source: Unicode 16, block "Braille Patterns", U+2800.
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
# (period, dots drawn of it): solid, dashed, dotted, so that lines differ without colour as well.
_DASHES = ((1, 1), (6, 4), (3, 1))


@dataclass(frozen=True)
class Range:
    """A closed interval that is never empty, to scale coordinates to [0, 1]."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Range:
        """Returns the range of finite ``values``; one that is a single point is widened."""
        low, high = min(values), max(values)
        margin = 0.5 if high == low else 0.0
        return cls(low - margin, high + margin)

    def scale(self, value: float) -> float:
        """Returns where ``value`` lies, 0 at the low end and 1 at the high end."""
        return (value - self.low) / (self.high - self.low)


class Canvas:
    """Lines in [0, 1] x [0, 1] on ``width`` x ``height`` character cells; (0, 0) is at the bottom left."""

    def __init__(self, width: int, height: int) -> None:
        if width < 1 or height < 1:
            raise ValueError(f"expected at least one cell, got {width} x {height}")
        self.width = width
        self.height = height
        self._dots = [[0] * width for _ in range(height)]
        self._owner = [[0] * width for _ in range(height)]

    def draw(self, points: Sequence[tuple[float, float]], *, line: int) -> None:
        """Draws straight lines from point to point; ``line`` picks the dashes and becomes the owner of the cells."""
        period, drawn = _DASHES[line % len(_DASHES)]
        dots = [self._dot(x, y) for x, y in points]
        travelled = 0
        for (column, row), (next_column, next_row) in zip(dots, dots[1:] or dots, strict=False):
            steps = max(abs(next_column - column), abs(next_row - row), 1)
            for step in range(steps + 1):
                if (travelled + step) % period < drawn:
                    self._set(
                        round(column + (next_column - column) * step / steps), round(row + (next_row - row) * step / steps), line
                    )
            travelled += steps

    def cells(self) -> list[list[tuple[str, int]]]:
        """Returns (character, owning line) for every cell, top row first."""
        return [
            [(chr(0x2800 + dots), owner) for dots, owner in zip(*row, strict=True)]
            for row in zip(self._dots, self._owner, strict=True)
        ]

    def _dot(self, x: float, y: float) -> tuple[int, int]:
        return round(x * (2 * self.width - 1)), round((1 - y) * (4 * self.height - 1))

    def _set(self, column: int, row: int, line: int) -> None:
        self._dots[row // 4][column // 2] |= _BITS[row % 4][column % 2]
        self._owner[row // 4][column // 2] = line


def sample(line: int, *, width: int = 3) -> str:
    """Returns a short piece of line number ``line`` for a legend."""
    canvas = Canvas(width, 1)
    canvas.draw([(0.0, 0.5), (1.0, 0.5)], line=line)
    return "".join(character for character, _ in canvas.cells()[0])


def x_axis(across: Range, width: int, *, margin: int, label: str) -> str:
    """Returns the axis below a plot of ``width`` cells, with both ends and ``label``; ``margin`` cells stand before it."""
    left, right = f"{across.low:.4g}", f"{across.high:.4g}"
    line = " " * margin + "└" + "─" * width
    return line + "\n" + " " * (margin + 1) + left + label.center(max(width - len(left) - len(right), 0)) + right
