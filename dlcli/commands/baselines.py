"""What a network on a table must beat: always the class shares, and logistic regression, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlcli.contracts import DataBundle, Metric, Predictions, Split
from dlcli.metrics.summary import classification_metrics

BASELINES = {"logistic_regression": "logistic regression", "majority": "class shares"}
_SHOWN = {"accuracy": "accuracy", "balanced_accuracy": "balanced", "auroc": "AUROC", "average_precision": "AP", "brier": "Brier"}


def baseline_predictions(name: str, bundle: DataBundle) -> Predictions:
    """Fits a baseline on train (and val, which it does not need to select by) and returns its predictions on test."""
    from dlcli.metrics.baselines import baseline_logits

    assert bundle.test is not None
    known = [part for part in (bundle.train, bundle.val) if part is not None]
    inputs, targets = (torch.cat(parts) for parts in zip(*map(_whole, known), strict=True))
    test_inputs, test_targets = _whole(bundle.test)
    logits = baseline_logits(name, inputs, targets, test_inputs, bundle.spec)
    return Predictions(logits, test_targets, torch.arange(len(test_targets)))


def baseline_metrics(bundle: DataBundle, *, split: str) -> dict[str, Metric]:
    """Returns ``split/BASELINE/metric`` for each baseline, on the test part of a table."""
    found: dict[str, Metric] = {}
    for name in BASELINES:
        found |= select(classification_metrics(baseline_predictions(name, bundle), bundle.spec.classes, split=f"{split}/{name}"))
    return found


def select(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Returns the figures by which models are compared; those per class and the like are left out."""
    return {name: metric for name, metric in metrics.items() if name.rpartition("/")[2] in {*_SHOWN, "nll"}}


def comparison(metrics: Mapping[str, Metric], *, split: str) -> Any:
    """Returns a table of the network beside the baselines."""
    from rich.table import Table

    columns = [name for name in _SHOWN if f"{split}/{name}" in metrics]
    table = Table(box=None, pad_edge=False, title=f"{split}, n = {metrics[f'{split}/accuracy'].n}", title_justify="left")
    table.add_column("model")
    for name in columns:
        table.add_column(_SHOWN[name], justify="right")
    for prefix, words in {"": "this network", **{f"{name}/": words for name, words in BASELINES.items()}}.items():
        table.add_row(words, *(_cell(metrics.get(f"{split}/{prefix}{name}"), name) for name in columns))
    return table


def _cell(metric: Metric | None, name: str) -> str:
    if metric is None or metric.value != metric.value:
        return "–"
    scale, digits = (100, 2) if name.endswith("accuracy") else (1, 4)
    shown = f"{scale * metric.value:.{digits}f}"
    if metric.low is None or metric.high is None:
        return shown
    return f"{shown} [{scale * metric.low:.{digits - 1}f}, {scale * metric.high:.{digits - 1}f}]"


def _whole(split: Split) -> tuple[Tensor, Tensor]:
    """All inputs (N, D) and targets (N,) of a split, on the CPU."""
    batch = next(iter(split.batches(torch.arange(len(split)), len(split))))
    return batch.inputs.cpu(), batch.targets.cpu()
