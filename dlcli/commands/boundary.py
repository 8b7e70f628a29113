"""Where a classifier of points in the plane changes its mind, as a picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlcli.classifier import Classifier, probabilities
from dlcli.commands.console import Talk
from dlcli.commands.training import Job
from dlcli.contracts import DataSpec
from dlcli.data.memory import MemorySplit
from dlcli.engine.evaluate import evaluate, joined
from dlcli.report.boundary import boundary_picture, boundary_plot
from dlcli.runs.run import Run

_SIDE = 161
_MARGIN = 0.25  # of each column's range, beyond it


def is_plane(spec: DataSpec) -> bool:
    """Returns whether the data are points in the plane: a table of two numbers."""
    return spec.kind == "table" and len(spec.columns) == 2 and not any(column.categories for column in spec.columns)


def grid_probabilities(model: Classifier, x: Tensor, y: Tensor, *, batch_size: int) -> Tensor:
    """Returns the class probabilities at every point of a grid, float (H, W, P), for ``x`` (W,) and ``y`` (H,)."""
    points = torch.cartesian_prod(y, x).flip(1)
    device = next(model.parameters()).device
    split = MemorySplit(points, torch.zeros(len(points), dtype=torch.int64)).to(device)
    return probabilities(joined(evaluate(model, split, batch_size=batch_size)).logits).reshape(len(y), len(x), -1)


def draw_boundary(run: Run, job: Job, talk: Talk) -> str:
    """Writes ``plots/boundary.png`` with the training points and draws it in the terminal; returns the file's name."""
    train = job.bundle.train
    batch = next(iter(train.batches(torch.arange(len(train)), len(train))))
    spec, points = job.bundle.spec, batch.inputs.cpu()
    low, high = points.nan_to_num(float("inf")).amin(dim=0), points.nan_to_num(float("-inf")).amax(dim=0)
    margin = _MARGIN * (high - low).clamp_min(1e-3)
    x, y = (torch.linspace(float(low[axis] - margin[axis]), float(high[axis] + margin[axis]), _SIDE) for axis in (0, 1))
    shown: dict[str, Any] = {
        "points": points,
        "targets": batch.targets.cpu(),
        "classes": spec.classes,
        "column_names": [column.name for column in spec.columns],
    }
    chances = grid_probabilities(job.model, x, y, batch_size=job.plan.eval_batch_size)
    name = run.write("plots/boundary.png", boundary_plot(x, y, chances, **shown))
    talk.picture(boundary_picture(x, y, chances, width=min(talk.console.width, 76), **shown))
    return name
