"""How long a comparison over label counts will take, said before its first step."""

from __future__ import annotations

from collections.abc import Sequence

from dlcli.commands.comparison import Comparison
from dlcli.commands.curve_record import Cell
from dlcli.engine.cost import Cost, measure_cost
from dlcli.engine.device import memory_errors


def comparison_estimate(comparison: Comparison, cells: Sequence[Cell]) -> str:
    """Returns in words what these fits take, measured on a few examples, as if all layers were trained throughout.

    Raises:
        ComputeError: a batch does not fit into memory.
    """
    settings, network = comparison.settings, comparison.network
    batch = settings.trainer.batch_size
    advice = f"trainer.batch_size={max(1, batch // 4)}, or a smaller --size"
    with memory_errors(f"training with batches of {batch}", advice):
        cost = measure_cost(
            network.model,
            comparison.bundle.train,
            batch_size=batch,
            precision=settings.trainer.precision,
            device=comparison.device,
        )
    features, training = seconds_of(comparison, cells, cost)
    return (
        f"estimate: about {spoken(features + training)} (features once {spoken(features)}, {len(cells)} fits {spoken(training)})"
    )


def seconds_of(comparison: Comparison, cells: Sequence[Cell], cost: Cost) -> tuple[float, float]:
    """Returns the seconds of computing the features, and of all fits; a linear probe on features takes next to nothing."""
    training = 0.0
    tested = len(comparison.test)
    for cell in cells:
        if cell.arm == "linear_probe":
            continue
        subset = comparison.subset(cell.labels, cell.seed)
        train, val = len(subset.train), len(subset.val)
        epochs = 1 if comparison.settings.fast_dev_run else comparison.settings_for(cell.seed, train).trainer.epochs
        training += epochs * (train * cost.train + val * cost.infer) + tested * cost.infer
    largest: dict[int, int] = {}
    for cell in cells:
        if cell.arm != "from_scratch":
            largest[cell.seed] = max(largest.get(cell.seed, 0), cell.labels)
    needed = sum(labels * len(comparison.bundle.spec.classes) for labels in largest.values())
    available = min(needed, len(comparison.bundle.train))
    return (available + tested) * cost.infer if largest else 0.0, training


def spoken(seconds: float) -> str:
    """Returns a time for people: ``45 s``, ``12 min``, ``3.4 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
