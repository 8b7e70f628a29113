"""The range test: it finds where the loss falls and breaks, and leaves what it tests alone."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.augment.shift import Shift
from dlcli.contracts import Batch, Loss, Objective
from dlcli.data.memory import MemorySplit
from dlcli.engine.fit import fit
from dlcli.engine.range_test import HIGHEST, LOWEST, RangeTest, Rising, range_test
from dlcli.engine.state import Parts, Plan, Progress
from dlcli.losses.supervised import Supervised
from dlcli.optim.averaging import WeightAverage
from dlcli.optim.schedules import Constant

PLAN = Plan(
    epochs=2,
    batch_size=4,
    eval_batch_size=8,
    accumulate=1,
    precision="fp32",
    clip_norm=None,
    patience=1,
    max_time=1e-9,
    save_every=1,
    log_every=1000,
    monitor="val/accuracy",
    seed=0,
)


def parts(*, objective: Objective | None = None, **options: Any) -> Parts:
    generator = torch.Generator().manual_seed(0)
    split = MemorySplit(torch.rand(22, 1, 6, 6, generator=generator), torch.arange(22) % 3)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 3)
    )
    groups = [{"params": list(model[0].parameters()), "lr": 0.005}, {"params": [*model[1].parameters(), *model[5].parameters()]}]
    optimizer = torch.optim.SGD(groups[::-1], lr=0.05, momentum=0.9)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    found = Parts(
        model=model,
        forward=model,
        train=split,
        val=split,
        augment=Shift(pixels=1),
        objective=objective or Supervised(nn.CrossEntropyLoss()),
        optimizer=optimizer,
        schedule=Constant(total_steps=12),
        score=lambda _: {"val/loss": 1.0, "val/accuracy": 0.5},
        device=torch.device("cpu"),
        average=WeightAverage(model, decay=0.9),
    )
    for name, value in options.items():
        setattr(found, name, value)
    return found


def state(own: Parts) -> tuple[Any, ...]:
    modes = [module.training for module in own.model.modules()]
    gradients = [parameter.grad for parameter in own.model.parameters()]
    return copy.deepcopy((own.model.state_dict(), own.optimizer.state_dict(), own.average.tensors(), modes, gradients))  # type: ignore[union-attr]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


class Given(Objective):
    """A loss that is told beforehand; its gradient is that of the logits' mean times nothing."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def __call__(self, model: nn.Module, batch: Batch, *, rng: Any, step: int) -> Loss:
        logits = model(batch.inputs)
        return Loss(logits.mean() * 0 + self.values[min(step, len(self.values) - 1)], logits)


def test_rates_rise_by_the_same_factor_from_the_lowest_to_the_highest() -> None:
    schedule = Rising(total_steps=5)
    rates = [schedule(step) for step in range(5)]
    assert rates == pytest.approx([1e-7, 1e-5, 1e-3, 1e-1, 1e1])
    assert (LOWEST, HIGHEST) == (1e-7, 10.0)


def test_the_rates_of_the_steps_are_those_of_the_schedule_whatever_was_configured() -> None:
    found = range_test(parts(objective=Given(2.0)), PLAN, steps=10, tell=lambda _: None)
    assert found.rates == pytest.approx([Rising(total_steps=10)(step) for step in range(10)])


def test_groups_with_other_rates_keep_their_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []
    plain = torch.optim.SGD.step

    def step(self: torch.optim.SGD, *options: Any) -> Any:
        seen.append([group["lr"] for group in self.param_groups])
        return plain(self, *options)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    range_test(parts(), PLAN, steps=4, tell=lambda _: None)
    assert [first / second for first, second in seen] == pytest.approx([10.0] * 4)


def test_what_it_tests_comes_back_bit_for_bit_and_the_global_generator_too() -> None:
    own = parts()
    own.model.eval()
    before, generator = state(own), torch.get_rng_state()
    found = range_test(own, PLAN, tell=lambda _: None)
    assert len(found.losses) > 20
    assert same(before, state(own))
    assert torch.equal(generator, torch.get_rng_state())


def test_a_fit_after_it_is_the_fit_without_it() -> None:
    plain, tested = parts(), parts()
    range_test(tested, PLAN, tell=lambda _: None)
    plan = Plan(**{**PLAN.__dict__, "max_time": None, "patience": None})
    assert list(fit(plain, plan, Progress())) == list(fit(tested, plan, Progress()))
    assert same(state(plain), state(tested))


def test_it_trains_as_a_fit_does_at_its_rates() -> None:
    noted = []

    class Noted(Supervised):
        def __call__(self, model: nn.Module, batch: Batch, *, rng: Any, step: int) -> Loss:
            noted.append((model, batch.index))
            return super().__call__(model, batch, rng=rng, step=step)

    own = parts(objective=Noted(nn.CrossEntropyLoss()), train=MemorySplit(torch.ones(24, 1, 6, 6), torch.arange(24) % 3))
    range_test(own, PLAN, steps=12, tell=lambda _: None)
    assert all(model is not own.model for model, _ in noted)
    assert torch.equal(torch.cat([index for _, index in noted[:6]]).sort().values, torch.arange(24))


def test_it_ends_when_the_running_mean_is_four_times_its_lowest() -> None:
    found = range_test(parts(objective=Given(*[1.0] * 20, 100.0)), PLAN, tell=lambda _: None)
    assert len(found.losses) == 21


def test_it_ends_where_the_numbers_do() -> None:
    found = range_test(parts(objective=Given(1.0, 1.0, 1.0, math.inf)), PLAN, tell=lambda _: None)
    assert found.losses == (1.0, 1.0, 1.0)


def test_a_signal_ends_it() -> None:
    told: list[int] = []
    found = range_test(parts(), PLAN, stop=lambda: 2 if len(told) == 5 else None, tell=told.append)
    assert told == [1, 2, 3, 4, 5]
    assert len(found.losses) == 5


def logistic(place: int, *, middle: float) -> float:
    return 2.0 / (1.0 + math.exp((place - middle) / 3.0))


def test_the_steepest_rate_is_where_the_loss_falls_fastest_and_the_lowest_before_it_rises() -> None:
    rates = [Rising(total_steps=100)(step) for step in range(100)]
    losses = [logistic(place, middle=50.5) for place in range(75)] + [2.0 ** (place - 74) for place in range(75, 100)]
    found = RangeTest.of(rates, losses)
    assert found.steepest == pytest.approx(math.sqrt(rates[50] * rates[51]))
    assert found.lowest == pytest.approx(rates[70], rel=0.5)
    assert found.tenth == pytest.approx(found.lowest / 10)  # type: ignore[operator]


def test_a_loss_that_only_wavers_suggests_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    losses = (2.0 + 0.1 * torch.randn(100, generator=generator)).tolist()
    found = RangeTest.of([Rising(total_steps=100)(step) for step in range(100)], losses)
    assert (found.steepest, found.tenth) == (None, None)


def test_too_few_steps_suggest_nothing() -> None:
    assert RangeTest.of([], []).steepest is None
    assert RangeTest.of([1e-7] * 8, [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]).tenth is None


def test_a_configured_rate_of_zero_is_no_obstacle() -> None:
    own = parts()
    for group in own.optimizer.param_groups:
        group["initial_lr"] = 0.0
    assert range_test(own, PLAN, steps=3, tell=lambda _: None).rates == pytest.approx([1e-7, 1e-3, 10.0])
