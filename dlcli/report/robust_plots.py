"""Pictures of robustness: accuracy over the radius, and how far the boundary is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from dlcli.contracts import Metric
from dlcli.report.figure import COLORS, clean, legend, new_figure, nothing, own_style, png

NORMS: Mapping[str, str] = {"linf": "L∞", "l2": "L2"}
Curve = Mapping[float, Metric]
# Points of a curve that are marked; more would hide it.
_MARKED = 30


@own_style
def robust_curve_plot(
    curves: Mapping[str, Curve], *, epsilon: float, norm: str, points: Mapping[str, Metric] | None = None, mark: str = "epsilon"
) -> bytes:
    """Returns accuracy in percent over the radius as PNG, each curve with its 95 % intervals; a dotted line marks ``epsilon``.

    Args:
        curves: line → radius → accuracy in [0, 1].
        points: accuracies at ``epsilon`` alone, such as those of single attacks.
        mark: what ``epsilon`` is called.
    """
    figure = new_figure(7.6, 4.2)
    axes = figure.subplots()
    clean(axes, title="accuracy over the radius of the change", x_label=f"radius in {NORMS[norm]}", y_label="accuracy (%)")
    drawn = {}
    for (name, curve), color in zip(curves.items(), COLORS, strict=False):
        x = sorted(curve)
        low = [100 * _or(curve[radius].low, curve[radius].value) for radius in x]
        high = [100 * _or(curve[radius].high, curve[radius].value) for radius in x]
        axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
        values = [100 * curve[radius].value for radius in x]
        drawn[name] = axes.plot(x, values, "-" if len(x) > _MARKED else "o-", color=color, linewidth=1.8, markersize=3.5)[0]
    for (name, metric), color in zip((points or {}).items(), COLORS[len(curves) :], strict=False):
        drawn[name] = axes.plot([epsilon], [100 * metric.value], "D", color=color, markersize=6, markeredgecolor="white")[0]
    drawn[f"{mark} {epsilon:.4g}"] = axes.axvline(epsilon, color="#555555", linestyle=":", linewidth=1.2)
    axes.set(xlim=(0, None), ylim=(-2, 102))
    legend(axes, list(drawn.values()), list(drawn), loc="upper left", bbox_to_anchor=(1, 1))
    return png(figure)


@own_style
def distance_plot(edges: Sequence[float], counts: Sequence[int], *, beyond: int, epsilon: float, norm: str) -> bytes:
    """Returns a histogram of the smallest change found for each correctly classified example, as PNG.

    Args:
        edges: of the bins, rising, one more than ``counts``.
        beyond: examples that none of the attacks broke up to the last edge; drawn as a last bar of its own.
    """
    if not sum(counts) + beyond:
        return nothing("no example was classified correctly")
    figure = new_figure(7.2, 3.6)
    axes = figure.subplots()
    clean(axes, title="smallest change found that fools the model", x_label=f"its size in {NORMS[norm]}", y_label="examples")
    widths = [after - before for before, after in pairwise(edges)]
    bars = axes.bar(list(edges[:-1]), list(counts), widths, align="edge", color=COLORS[0], edgecolor="white")
    handles: dict[str, Any] = {"broken first at this size": bars}
    if beyond:
        handles["never broken"] = axes.bar(edges[-1], beyond, widths[-1], align="edge", color=COLORS[2], edgecolor="white")
    handles[f"epsilon {epsilon:.4g}"] = axes.axvline(epsilon, color="#555555", linestyle=":", linewidth=1.2)
    axes.set_xlim(left=0)
    legend(axes, list(handles.values()), list(handles), loc="upper left", bbox_to_anchor=(1, 1))
    return png(figure)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
