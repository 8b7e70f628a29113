"""How far methods agree: a matrix of rank correlations as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dlcli.report.figure import clean, literal, new_figure, own_style, png

_LEGIBLE = 0.6  # size of a correlation from which on its cell is dark


@own_style
def agreement_plot(matrix: Tensor, names: Sequence[str], *, title: str) -> bytes:
    """Returns a matrix of correlations as PNG: blue is agreement, red is contradiction, and each cell says how much.

    Args:
        matrix: float (M, M) in [-1, 1].
        names: M.

    Raises:
        ValueError: the matrix is not (M, M).
    """
    count = len(names)
    if matrix.shape != (count, count):
        raise ValueError(f"expected a matrix of {count} x {count}, got {tuple(matrix.shape)}")
    side = 1.6 + 0.45 * count
    figure = new_figure(max(side + 0.8, 4.4), max(side, 3.2))
    axes = figure.subplots()
    image = axes.imshow(matrix.numpy(), cmap="RdBu", vmin=-1, vmax=1, interpolation="nearest")
    clean(axes, title=title, x_label="")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    labels = [literal(name, 24) for name in names]
    axes.set_xticks(range(count), labels, rotation=90, fontsize=9)
    axes.set_yticks(range(count), labels, fontsize=9)
    for row, line in enumerate(matrix.tolist()):
        for column, value in enumerate(line):
            ink = "white" if abs(value) > _LEGIBLE else "#222222"
            axes.text(column, row, f"{value:.2f}".replace("0.", "."), ha="center", va="center", fontsize=8, color=ink)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("mean rank correlation")
    bar.outline.set_visible(False)
    return png(figure)
