"""How every figure looks, and how it becomes PNG bytes: matplotlib's Agg backend, without its global figure state.

Only this module imports matplotlib, and only when a figure is made: half a second that no training step waits for.

The user's matplotlibrc has no say, and the file holds no date or version: the same numbers give the same bytes.
Colours are those of Okabe and Ito 2008, "Color universal design".
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

from dlcli.report.text import shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
_DPI = 120

Arguments = ParamSpec("Arguments")


def own_style(plot: Callable[Arguments, bytes]) -> Callable[Arguments, bytes]:
    """Runs ``plot`` with matplotlib's default style, whatever the user's matplotlibrc says, and gives theirs back."""

    @functools.wraps(plot)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> bytes:
        from matplotlib import style

        with style.context("default"):
            return plot(*args, **kwargs)

    return styled


def new_figure(width: float, height: float) -> Figure:
    """Returns a white figure of ``width`` x ``height`` inches that lays itself out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """Returns the figure as PNG without metadata; a letter that the font lacks becomes a box, silently."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def literal(text: str, length: int = 200) -> str:
    """Returns foreign text as matplotlib shows it literally: no mathematics between dollar signs, no control characters."""
    return shorten(text, length).replace("$", r"\$")


def clean(axes: Any, *, title: str, x_label: str, y_label: str = "") -> None:
    """Gives ``axes`` a title at the left, labels, pale horizontal lines and no box."""
    axes.set_title(literal(title), fontsize=11, loc="left")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def whole_numbers(axis: Any) -> None:
    """Puts the ticks of an axis at whole numbers, such as steps and epochs."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def legend(axes: Any, handles: Sequence[Any], names: Sequence[str], **where: Any) -> None:
    """Adds a legend with literal names; matplotlib itself would drop those that begin with an underscore."""
    numbers = [str(number) for number in range(len(names))]
    box = axes.legend(handles, numbers, frameon=False, fontsize=9, alignment="left", **where)
    for text, name in zip(box.get_texts(), names, strict=True):
        text.set_text(literal(name, 32))


def nothing(message: str) -> bytes:
    """Returns a small figure that only says ``message``."""
    figure = new_figure(4.4, 1.2)
    figure.text(0.5, 0.5, literal(message), ha="center", va="center", color="#555555")
    return png(figure)
