"""Schedules: exact values at the start, the peak and the end, and torch as an independent implementation."""

from __future__ import annotations

import importlib
import inspect
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dlcli.contracts import Schedule
from dlcli.optim.schedules import Constant, Cosine, OneCycle, Step

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "scheduler").glob("*.yaml"))


def every_value(schedule: Schedule) -> list[float]:
    return [schedule(step) for step in range(schedule.total_steps)]


def test_a_constant_schedule_is_one_at_every_step() -> None:
    assert every_value(Constant(total_steps=3)) == [1.0, 1.0, 1.0]


def test_a_step_schedule_drops_exactly_at_its_milestones() -> None:
    assert every_value(Step(total_steps=10, milestones=[0.3, 0.7], factor=0.5)) == [1.0] * 3 + [0.5] * 4 + [0.25] * 3


def test_a_step_schedule_without_milestones_is_constant() -> None:
    assert every_value(Step(total_steps=3, milestones=[])) == [1.0] * 3


def test_cosine_starts_at_the_peak_passes_the_middle_and_ends_at_final() -> None:
    values = every_value(Cosine(total_steps=11, final=0.2))
    assert values[0] == 1.0
    assert values[5] == pytest.approx(0.6, abs=1e-12)
    assert values[-1] == 0.2


def test_cosine_warms_up_in_equal_steps_from_above_zero_to_the_peak() -> None:
    values = every_value(Cosine(total_steps=10, warmup=0.4))
    assert values[:4] == [0.25, 0.5, 0.75, 1.0]
    assert values[4] < 1.0


def test_cosine_is_torchs_annealing_to_the_last_step() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=19, eta_min=0.1)
    for value in every_value(Cosine(total_steps=20, final=0.1)):
        assert value == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("anneal", ["linear", "cosine"])
def test_one_cycle_is_exact_at_start_peak_and_end(anneal: Any) -> None:
    values = every_value(OneCycle(total_steps=20, warmup=0.3, start=0.1, final=0.01, anneal=anneal))
    assert (values[0], values[5], values[-1]) == (0.1, 1.0, 0.01)


@pytest.mark.parametrize(("anneal", "theirs"), [("linear", "linear"), ("cosine", "cos")])
def test_one_cycle_is_torchs_where_the_peak_falls_on_a_step(anneal: Any, theirs: Any) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=20, pct_start=0.3, anneal_strategy=theirs, cycle_momentum=False
    )
    for value in every_value(OneCycle(total_steps=20, warmup=0.3, start=0.04, final=0.000004, anneal=anneal)):
        assert value == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        if reference.last_epoch < 19:
            reference.step()


@pytest.mark.parametrize("kind", [Cosine, OneCycle])
def test_runs_of_one_and_two_steps_need_no_division_by_zero(kind: Any) -> None:
    assert every_value(kind(total_steps=1, warmup=0.3, final=0.2)) == [1.0]
    assert every_value(kind(total_steps=2, warmup=0.3, final=0.2)) == [1.0, 0.2]


@pytest.mark.parametrize("kind", [Cosine, OneCycle])
@given(total_steps=st.integers(1, 60), warmup=st.floats(0, 0.999), final=st.floats(0, 1))
def test_every_multiplier_is_between_zero_and_one_and_the_peak_is_reached(
    kind: Any, total_steps: int, warmup: float, final: float
) -> None:
    values = every_value(kind(total_steps=total_steps, warmup=warmup, final=final))
    assert all(0.0 <= value <= 1.0 + 1e-12 for value in values)
    assert 1.0 in values


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(total_steps=0), "total_steps must be at least 1, got 0"),
        (lambda: Step(total_steps=9, milestones=[0.7, 0.3]), "milestones must be rising"),
        (lambda: Step(total_steps=9, milestones=[30.0, 60.0]), r"in \(0, 1\)"),
        (lambda: Step(total_steps=9, factor=0.0), "factor must be in"),
        (lambda: Cosine(total_steps=9, warmup=1.0), "warmup must be a fraction"),
        (lambda: Cosine(total_steps=9, final=-0.1), r"final must be a multiplier in \[0, 1\], got -0.1"),
        (lambda: OneCycle(total_steps=9, start=math.nan), "start must be a multiplier"),
        (lambda: OneCycle(total_steps=9, anneal="cos"), "anneal must be 'linear' or 'cosine', got 'cos'"),
    ],
)
def test_values_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_yaml_lists_every_hyper_parameter_and_the_one_of_its_class_the_defaults(path: Path) -> None:
    settings = yaml.safe_load(path.read_text())
    module, _, name = settings.pop("_target_").rpartition(".")
    schedule = getattr(importlib.import_module(module), name)
    wanted = {key for key in inspect.signature(schedule).parameters if key != "total_steps"}
    assert settings.keys() == wanted
    built = schedule(total_steps=7, **settings)
    assert path.stem.replace("_", "").startswith(name.lower())  # such as cosine_warmup, a preset of Cosine
    if path.stem.replace("_", "") == name.lower():
        assert built == schedule(total_steps=7)
