"""How long finetuning will take, said before its first step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dlcli.config.schema import FinetuneSettings
from dlcli.contracts import DataBundle
from dlcli.engine.cost import Cost

# Seconds of what no network does: loading PyTorch and the data before, checkpoints and pictures after. With half a second of
# work the whole process took 11 s on two busy cores, 7 s of it computing.
AROUND = 10


@dataclass(frozen=True)
class Estimate:
    """Seconds for each part of the network's work; ``from_scratch`` is 0 without a baseline."""

    finetuning: float
    from_scratch: float
    testing: float

    @property
    def seconds(self) -> float:
        return self.finetuning + self.from_scratch + self.testing

    def words(self) -> str:
        """Returns the estimate for people, rounded up, with what is around the work."""
        scratch = f", from scratch {math.ceil(self.from_scratch)}" if self.from_scratch else ""
        parts = f"finetuning {math.ceil(self.finetuning)}{scratch}, testing {math.ceil(self.testing)}"
        return f"about {math.ceil(self.seconds) + AROUND} s ({parts}, loading and pictures {AROUND})"


def estimate(cost: Cost, settings: FinetuneSettings, bundle: DataBundle) -> Estimate:
    """Returns what a fit on these data takes if no epoch is saved by stopping early and all layers are trained throughout."""
    train, val, test = (0 if part is None else len(part) for part in (bundle.train, bundle.val, bundle.test))
    probe = (train + val) * cost.infer
    epochs = settings.trainer.epochs * (train * cost.train + val * cost.infer)
    alone = settings.strategy.last == 0 and not settings.is_random
    first = probe if settings.strategy.probe_epochs and not settings.is_random else 0.0
    finetuning = probe if alone else epochs + first
    baselines = 1 if settings.has_baseline else 0
    return Estimate(finetuning, baselines * epochs, (1 + baselines) * (test + val) * cost.infer)
