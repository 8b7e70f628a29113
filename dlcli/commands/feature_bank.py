"""Features that many fits share: what goes into the head, computed once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.commands.comparison import Comparison
from dlcli.commands.console import Talk
from dlcli.commands.curve_record import Cell
from dlcli.commands.probe import features_for_head
from dlcli.commands.signals import StopFlag
from dlcli.contracts import Split
from dlcli.data.memory import MemorySplit
from dlcli.engine.device import memory_errors
from dlcli.errors import UsageError


@dataclass(frozen=True, eq=False)
class FeatureBank:
    """What goes into the head, for every example that some fit needs, computed once.

    Args:
        rows: positions in train, ascending, int64 (N,).
        labelled: their features.
        test: of all test examples.
    """

    rows: Tensor
    labelled: MemorySplit
    test: MemorySplit

    def at(self, rows: Tensor) -> MemorySplit:
        """Returns the features at positions in train, all of which are among ``rows``."""
        return self.labelled.select(torch.searchsorted(self.rows, rows))


def feature_bank(comparison: Comparison, cells: Sequence[Cell], *, talk: Talk, flag: StopFlag) -> FeatureBank:
    """Computes the features that these fits need.

    Raises:
        UsageError: the network has no head that alone makes its logits.
    """
    choices = {(cell.labels, cell.seed) for cell in cells}
    subsets = [comparison.subset(labels, seed) for labels, seed in choices]
    rows = torch.unique(torch.cat([part for subset in subsets for part in (subset.train, subset.val)]))
    total, done = len(rows) + len(comparison.test), 0

    def features(split: Split) -> MemorySplit:
        def tell(count: int) -> None:
            flag.check()
            bar.at(done + count)

        try:
            return features_for_head(comparison.network.model, comparison.head, split, tell=tell)
        except UsageError as error:
            raise UsageError(error.message, hint="another network, such as efficientnet_lite0") from error

    with talk.progress("features", total) as bar, memory_errors("computing features", "a smaller --size"):
        labelled = features(comparison.bundle.train.select(rows))
        done = len(rows)
        return FeatureBank(rows, labelled, features(comparison.test))
