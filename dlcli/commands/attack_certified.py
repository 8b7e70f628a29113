"""What smoothing certifies beside what attacks on the same smoothed classifier break: figures, table, CSV and picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from dlcli.commands.attack_results import csv_of
from dlcli.contracts import Metric
from dlcli.metrics.intervals import wilson
from dlcli.metrics.robustness import curve
from dlcli.metrics.smoothing import certified_accuracy
from dlcli.report.page import Table
from dlcli.report.robust_plots import robust_curve_plot
from dlcli.report.terminal import interval

# Radii at which the smoothed classifier is attacked, in units of the noise.
RADII_PER_SIGMA = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Certified:
    """Some examples of a split under a smoothed classifier, on the CPU.

    Args:
        rows: their positions, int64 (M,).
        targets: true classes, int64 (M,).
        classes: what the smoothed classifier says without an attack, int64 (M,); -1 where it abstains.
        radii: in which it is proven to say so, L2 in raw units, float64 (M,); minus infinity where it abstains.
        falls: the smallest change found at which its votes prove another class than the true one, float64 (M,): 0 where they do
            without an attack, infinite where no attack came so far.
        sigma: of the noise.
        draws: votes of each example.
    """

    rows: Tensor
    targets: Tensor
    classes: Tensor
    radii: Tensor
    falls: Tensor
    sigma: float
    draws: int

    @property
    def right(self) -> Tensor:
        """bool (M,)."""
        return self.classes == self.targets

    @property
    def contradicted(self) -> int:
        """Examples that an attack broke inside their certified radius: 0, but for a chance of 0.1 % each."""
        return int((self.right & (self.falls < self.radii)).sum())

    @property
    def attacked_radii(self) -> tuple[float, ...]:
        """Radii at which the smoothed classifier was attacked."""
        return tuple(self.sigma * factor for factor in RADII_PER_SIGMA)

    def lower(self, radius: float) -> Metric:
        """Returns the share that is right and proven to stay so."""
        return certified_accuracy(self.radii, self.right, radius)

    def upper(self) -> dict[float, Metric]:
        """Returns the share that attacks left standing, at 0 and at each radius that was tried."""
        return curve(self.falls, [0.0, *self.attacked_radii])


def certified_metrics(found: Certified) -> dict[str, Metric]:
    """Returns ``attack/smoothed/RADIUS/certified_accuracy`` and ``…/robust_accuracy``, abstentions and contradictions."""
    count = len(found.rows)
    metrics = {
        "attack/smoothed/abstained": wilson(int((found.classes == -1).sum()), count),
        "attack/smoothed/contradicted": Metric(float(found.contradicted), n=count),
    }
    for radius, robust in found.upper().items():
        metrics[f"attack/smoothed/{radius:.4g}/certified_accuracy"] = found.lower(radius)
        metrics[f"attack/smoothed/{radius:.4g}/robust_accuracy"] = robust
    return metrics


def certified_table(found: Certified) -> Table:
    """Returns a row for each radius: what is proven, and what attacks left standing."""
    caption = (
        f"The classifier smoothed with noise of {found.sigma:.4g} (L2, {len(found.rows)} examples, {found.draws} votes each, "
        "99.9 % certain for each example)"
    )
    rows = [(f"{radius:.4g}", interval(found.lower(radius)), interval(robust)) for radius, robust in found.upper().items()]
    return Table(caption, ("radius", "at least (certified)", "at most (attacked)"), tuple(rows))


def certified_words(found: Certified) -> str:
    """Returns the two bounds at the radius of one sigma, for people."""
    radius = found.sigma
    return (
        f"Smoothed with noise of {found.sigma:.4g}, accuracy at an L2 radius of {radius:.4g} is at least "
        f"{interval(found.lower(radius))} (certified) and at most {interval(found.upper()[radius])} (attacked); "
        f"the vote abstains on {int((found.classes == -1).sum())} of {len(found.rows)}."
    )


def certified_csv(found: Certified, classes: Sequence[str]) -> bytes:
    """Returns a line for each example as CSV."""
    columns = (found.rows, found.targets, found.classes, found.radii, found.falls)
    rows = [
        (row, classes[target], "" if said < 0 else classes[said], "" if said < 0 else f"{radius:.6g}", f"{falls:.6g}")
        for row, target, said, radius, falls in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return csv_of(("example", "target", "smoothed", "certified_radius", "smallest_change"), rows)


def certified_plot(found: Certified, *, plain: Mapping[float, Metric] | None) -> bytes:
    """Returns both bounds over the radius as PNG.

    Args:
        plain: the curve of the classifier without noise under attack; None where there is none.
    """
    upper = found.upper()
    grid = [found.sigma * step / 20 for step in range(int(20 * RADII_PER_SIGMA[-1]) + 1)]
    curves = {"smoothed, at most": upper, "smoothed, at least": {radius: found.lower(radius) for radius in grid}}
    if plain is not None:
        curves["without noise, at most"] = {radius: metric for radius, metric in plain.items() if radius <= grid[-1] + 1e-9}
    return robust_curve_plot(curves, epsilon=found.sigma, norm="l2", mark="noise")
