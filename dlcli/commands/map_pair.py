"""Maps of two models for the same images: how alike they are, how sparse, and what that says."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

from torch import Tensor

from dlcli.contracts import Metric
from dlcli.engine.attribute import ExplainReport
from dlcli.metrics.intervals import mean_interval, wilson
from dlcli.metrics.paired import paired_difference
from dlcli.metrics.rank_correlation import spearman
from dlcli.metrics.sparsity import gini
from dlcli.metrics.structural_similarity import structural_similarity
from dlcli.report.images import unit_maps
from dlcli.report.terminal import interval

_WINDOW = 11  # pixels a side that SSIM needs


@dataclass(frozen=True, eq=False)
class MapPair:
    """Maps of two models for the same N images.

    Args:
        names: of the models, the other one first.
        comparable: both know the same classes.
    """

    before: ExplainReport
    after: ExplainReport
    names: tuple[str, str]
    comparable: bool

    @property
    def alike(self) -> Tensor:
        """Rank correlation of the sizes, (N,)."""
        return spearman(self.before.maps.abs(), self.after.maps.abs())

    @property
    def shuffled(self) -> Tensor:
        """The same with the map of another image: what places that are always looked at give for nothing."""
        return spearman(self.before.maps.abs().roll(1, dims=0), self.after.maps.abs())

    @property
    def ssim(self) -> Tensor | None:
        if min(self.after.maps.shape[1:]) < _WINDOW:
            return None
        return structural_similarity(unit_maps(self.before.maps.abs()), unit_maps(self.after.maps.abs()))

    @property
    def right(self) -> tuple[Tensor, Tensor]:
        return self.before.predicted == self.before.targets, self.after.predicted == self.after.targets

    @property
    def sparsity(self) -> tuple[Tensor, Tensor]:
        """Gini indices where neither map is empty, (n,) each."""
        found = gini(self.before.maps), gini(self.after.maps)
        both = found[0].isfinite() & found[1].isfinite()
        return found[0][both], found[1][both]

    @property
    def metrics(self) -> dict[str, Metric]:
        """The figures of a run."""
        sparse, right = self.sparsity, self.right
        found = {
            "explain/rank_correlation": mean_interval(self.alike),
            "explain/rank_correlation_shuffled": mean_interval(self.shuffled),
            "explain/sparsity": mean_interval(sparse[1]),
            "explain/sparsity_against": mean_interval(sparse[0]),
            "explain/sparsity_change": mean_interval(sparse[1] - sparse[0]),
            "explain/accuracy": wilson(int(right[1].sum()), len(right[1])),
            "explain/empty_maps": wilson(int(self.after.empty.sum()), len(right[1])),
            "explain/empty_maps_against": wilson(int(self.before.empty.sum()), len(right[1])),
        }
        if (ssim := self.ssim) is not None:
            found["explain/ssim"] = mean_interval(ssim)
        if self.comparable:
            found["explain/accuracy_against"] = wilson(int(right[0].sum()), len(right[0]))
            found["explain/accuracy_change"] = paired_difference(*right)
        return found


def words_of(pair: MapPair) -> list[str]:
    """Returns what people read of a pair, one line each."""
    found = pair.metrics
    alike, shuffled = found["explain/rank_correlation"], found["explain/rank_correlation_shuffled"]
    more = (alike.low or 0) > (shuffled.high or 1)
    ssim = f", SSIM {_short(found['explain/ssim'])}" if "explain/ssim" in found else ""
    told = "more alike than maps of different images" if more else "no more alike than maps of different images"
    lines = [
        f"rank correlation {_short(alike)}, {_short(shuffled)} between different images{ssim}: {told}",
        _sparser(found),
    ]
    if pair.comparable:
        change = found["explain/accuracy_change"]
        before, after = (interval(found[f"explain/{name}"]) for name in ("accuracy_against", "accuracy"))
        lines.append(f"accuracy {before} → {after}, change {_short(change, 100)} points")
    else:
        lines.append(f"accuracy {interval(found['explain/accuracy'])}; the other model knows other classes")
    for name, report in zip(pair.names, (pair.before, pair.after), strict=True):
        if empty := int(report.empty.sum()):
            lines.append(f"{empty} of {len(report.maps)} maps of {name} are all zero: alike counts as 0 there")
    return lines


def _sparser(found: dict[str, Metric]) -> str:
    change = found["explain/sparsity_change"]
    if not change.n:
        return "sparsity: no image has a map in both models"
    before, after = (found[f"explain/{name}"].value for name in ("sparsity_against", "sparsity"))
    low, high = change.low or 0, change.high or 0
    told = "became sparser" if low > 0 else "became less sparse" if high < 0 else "are as sparse as before, within the interval"
    return f"maps {told}: Gini index {before:.2f} → {after:.2f}, change {_short(change)}"


def _short(metric: Metric, times: float = 1) -> str:
    digits = 2 if times == 1 else 1
    value, *bounds = (f"{times * part:.{digits}f}" for part in (metric.value, metric.low, metric.high) if part is not None)
    return f"{value} [{', '.join(bounds)}]" if bounds else value


def pairs_csv(pair: MapPair, classes: tuple[str, ...], others: tuple[str, ...]) -> bytes:
    """Returns a row for each image.

    Args:
        classes, others: that the model knows, and that the other one knows.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    ssim = pair.ssim
    writer.writerow(["index", "target", "predicted_against", "predicted", "rank_correlation", "ssim", "gini_against", "gini"])
    columns = [gini(pair.before.maps), gini(pair.after.maps)]
    for row, alike in enumerate(pair.alike.tolist()):
        names = [classes[pair.after.targets[row]], others[pair.before.predicted[row]], classes[pair.after.predicted[row]]]
        values = [alike, math.nan if ssim is None else float(ssim[row]), *(float(column[row]) for column in columns)]
        cells = [f"{value:.6f}" if math.isfinite(value) else "" for value in values]
        writer.writerow([int(pair.after.index[row]), *names, *cells])
    return text.getvalue().encode()
