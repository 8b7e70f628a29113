"""The plan of a fit and its progress, which JSON must hold exactly."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from dlcli.engine.state import Plan, Progress
from dlcli.errors import DataError

PLAN = Plan(
    epochs=3,
    batch_size=8,
    eval_batch_size=8,
    accumulate=1,
    precision="fp32",
    clip_norm=None,
    patience=None,
    max_time=None,
    save_every=None,
    log_every=1,
    monitor="val/accuracy",
    seed=0,
)


def test_progress_survives_json_exactly() -> None:
    progress = Progress(step=7, loss_sum=0.1 + 0.2, best_value=1 / 3, best_step=5, loss_scale={"scale": 65536.0})
    assert Progress.from_dict({**json.loads(json.dumps(progress.to_dict())), "metrics_size": 5}) == progress


@pytest.mark.parametrize(
    "values", [{"step": "3"}, {"step": 1.5}, {"loss_sum": None}, {"best_step": 0.5}, {"loss_scale": 3}, {"stopped_early": 2}]
)
def test_progress_of_another_type_is_a_data_error(values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=next(iter(values))):
        Progress.from_dict(values)


@pytest.mark.parametrize(("examples", "batch", "used"), [(9, 4, 8), (9, 1, 9), (1, 4, 1), (8, 4, 8), (10, 4, 10)])
def test_a_last_batch_of_one_is_left_out(examples: int, batch: int, used: int) -> None:
    plan = replace(PLAN, batch_size=batch)
    assert plan.used_examples(examples) == used
    assert plan.steps_per_epoch(examples) == math.ceil(used / batch)
