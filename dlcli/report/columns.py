"""Text in columns, for lists of thousands of lines: Rich's tables measure each cell several times, and that takes longer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dlcli.report.text import safe

_GAP = "  "


def aligned(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> list[list[str]]:
    """Returns the cells of ``rows``, each made safe and padded to its column's width, without blanks at the end of a row.

    Args:
        rows: of equal length; a header is a row like others.
        right: the columns that stand at the right of their width.
    """
    cells = [[text if text.isascii() and text.isprintable() else safe(text) for text in row] for row in rows]
    widths = [max(map(cell_width, column)) for column in zip(*cells, strict=True)]
    at_right = set(right)
    padded = []
    for row in cells:
        line = []
        for place, text in enumerate(row):
            blanks = " " * (widths[place] - cell_width(text))
            line.append(blanks + text if place in at_right else text + blanks)
        while line and not line[-1].strip():
            line.pop()
        if line:
            line[-1] = line[-1].rstrip()
        padded.append(line)
    return padded


def joined(rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns each row of :func:`aligned` as one line."""
    return [_GAP.join(row) for row in rows]


def cell_width(text: str) -> int:
    """Returns how many places of a terminal ``text`` takes: two for each wide character, as in Chinese."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
