"""The training loop: exact from any step, one big batch for several small ones, and it stops before numbers go bad."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.augment.identity import Identity
from dlcli.augment.shift import Shift
from dlcli.contracts import Augment, Batch, Loss, Objective, Predictions
from dlcli.data.memory import MemorySplit
from dlcli.engine.fit import averaged_weights, fit
from dlcli.engine.reports import EpochReport, NonFiniteError, Report, SaveDue, StepReport
from dlcli.engine.state import Parts, Plan, Progress
from dlcli.losses.supervised import Supervised
from dlcli.optim.averaging import WeightAverage
from dlcli.optim.schedules import Constant, Cosine

PLAN = Plan(
    epochs=2,
    batch_size=4,
    eval_batch_size=8,
    accumulate=1,
    precision="fp32",
    clip_norm=None,
    patience=None,
    max_time=None,
    save_every=None,
    log_every=2,
    monitor="val/accuracy",
    seed=0,
)


def split(count: int, seed: int = 0) -> MemorySplit:
    generator = torch.Generator().manual_seed(seed)
    return MemorySplit(torch.rand(count, 1, 6, 6, generator=generator), torch.arange(count) % 3)


def network(*, plain: bool = False) -> nn.Module:
    torch.manual_seed(0)
    if plain:
        return nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.Tanh(), nn.Linear(5, 3))
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 3)
    )


def score(predictions: Predictions) -> dict[str, float]:
    accuracy = float((predictions.logits.argmax(dim=1) == predictions.targets).float().mean())
    return {"val/loss": float(nn.functional.cross_entropy(predictions.logits, predictions.targets)), "val/accuracy": accuracy}


def parts(
    *, count: int = 22, plain: bool = False, lr: float = 0.05, ema: bool = True, augment: Augment | None = None, **changes: Any
) -> Parts:
    model = network(plain=plain)
    optimizer = torch.optim.SGD(model.named_parameters(), lr=lr, momentum=0.9)
    for group in optimizer.param_groups:
        group["initial_lr"] = lr
    found = Parts(
        model=model,
        forward=model,
        train=split(count),
        val=split(10, seed=1),
        augment=augment or (Identity() if plain else Shift(pixels=1)),
        objective=Supervised(nn.CrossEntropyLoss()),
        optimizer=optimizer,
        schedule=Constant(total_steps=100) if plain else Cosine(total_steps=12),
        score=score,
        device=torch.device("cpu"),
        average=WeightAverage(model, decay=0.9) if ema and not plain else None,
    )
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def run(own: Parts, plan: Plan = PLAN, progress: Progress | None = None, **options: Any) -> list[Report]:
    return list(fit(own, plan, progress if progress is not None else Progress(), **options))


def equal(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def kept(own: Parts, progress: Progress) -> dict[str, Any]:
    """Everything that a checkpoint holds, copied."""
    state = {
        "model": own.model.state_dict(),
        "ema": own.average.tensors() if own.average else {},
        "optimizer": own.optimizer.state_dict(),
        "progress": progress.to_dict(),
    }
    return copy.deepcopy(state)


def restored(state: dict[str, Any], **options: Any) -> tuple[Parts, Progress]:
    own = parts(**options)
    own.model.load_state_dict(state["model"])
    own.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
    if isinstance(own.average, WeightAverage):
        own.average.load(state["ema"])
    return own, Progress.from_dict(state["progress"])


# Exactness


def test_the_same_fit_twice_gives_the_same_tensors_and_reports() -> None:
    first, second = parts(), parts()
    assert run(first) == run(second)
    assert equal(first.model.state_dict(), second.model.state_dict())
    assert equal(first.average.tensors(), second.average.tensors())  # type: ignore[union-attr]


def test_another_seed_gives_other_tensors() -> None:
    first, second = parts(), parts()
    run(first)
    run(second, replace(PLAN, seed=1))
    assert not equal(first.model.state_dict(), second.model.state_dict())


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_fit_stopped_at_any_step_goes_on_bit_for_bit(accumulate: int) -> None:
    plan = replace(PLAN, accumulate=accumulate)
    whole, end = parts(), Progress()
    reports = run(whole, plan, end)
    for step in range(end.step + 1):
        first, progress = parts(), Progress()
        before = run(first, plan, progress, stop=lambda: 15 if progress.step >= step else None)  # noqa: B023 - called at once
        assert isinstance(before[-1], SaveDue) or step == end.step
        again, position = restored(kept(first, progress))
        after = run(again, plan, position)
        assert equal(whole.model.state_dict(), again.model.state_dict()), step
        assert equal(whole.average.tensors(), again.average.tensors()), step  # type: ignore[union-attr]
        assert position == end, step
        said = [report for report in before + after if not isinstance(report, SaveDue)]
        assert said == [report for report in reports if not isinstance(report, SaveDue)], step


def test_a_signal_during_validation_leaves_the_epoch_open_and_it_is_closed_on_resuming() -> None:
    whole, end = parts(), Progress()
    reports = run(whole, PLAN, end)
    first, progress, polls = parts(), Progress(), []

    def stop() -> int | None:
        polls.append(progress.step)
        return 2 if polls.count(6) >= 2 else None  # 6 steps an epoch: the second poll there is inside the validation

    before = run(first, PLAN, progress, stop=stop)
    assert before[-1] == SaveDue(6, 2)
    assert not any(isinstance(report, EpochReport) for report in before)
    again, position = restored(kept(first, progress))
    after = run(again, PLAN, position)
    assert [report for report in before + after if not isinstance(report, SaveDue)] == [
        report for report in reports if not isinstance(report, SaveDue)
    ]
    assert equal(whole.model.state_dict(), again.model.state_dict())
    assert position == end


class Noted(Objective):
    """Keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, Tensor, Tensor, Tensor]] = []

    def __call__(self, model: nn.Module, batch: Batch, *, rng: Any, step: int) -> Loss:
        self.seen.append((step, batch.index, rng.uniform("x", step), batch.inputs))
        logits = model(batch.inputs)
        return Loss(nn.functional.cross_entropy(logits, batch.targets), logits)


def test_another_batch_size_changes_no_draw_of_any_example() -> None:
    draws = []
    for size in (4, 8):
        noted = Noted()
        run(parts(count=16, objective=noted), replace(PLAN, batch_size=size, epochs=1))
        first = [entry for entry in noted.seen if entry[0] == 0]
        draws.append(
            {
                int(row): (float(value), image)
                for _, index, values, images in first
                for row, value, image in zip(index, values, images, strict=True)
            }
        )
    assert draws[0].keys() < draws[1].keys()
    for row, (value, image) in draws[0].items():
        assert value == draws[1][row][0]
        assert torch.equal(image, draws[1][row][1])


def test_an_epoch_sees_every_example_once_in_an_order_of_its_own() -> None:
    noted = Noted()
    run(parts(count=20, objective=noted))
    order = torch.cat([index for _, index, _, _ in noted.seen])
    first, second = order[:20], order[20:]
    assert torch.equal(first.sort().values, torch.arange(20))
    assert torch.equal(second.sort().values, torch.arange(20))
    assert not torch.equal(first, second)


def test_the_global_generator_is_left_alone() -> None:
    own = parts()
    before = torch.get_rng_state()
    for _ in fit(own, PLAN, Progress()):
        assert torch.equal(before, torch.get_rng_state())


# What a step does


@pytest.mark.parametrize("count", [24, 22])
def test_accumulated_batches_make_the_step_of_one_big_batch(count: int) -> None:
    big, small = parts(count=count, plain=True), parts(count=count, plain=True)
    run(big, replace(PLAN, batch_size=8))
    run(small, replace(PLAN, batch_size=4, accumulate=2))
    for name, value in big.model.state_dict().items():
        torch.testing.assert_close(small.model.state_dict()[name], value, rtol=0, atol=1e-6)


def test_a_plain_step_is_that_of_a_loop_written_out() -> None:
    own, model = parts(count=4, plain=True), network(plain=True)
    run(own, replace(PLAN, epochs=1))
    images, labels = split(4).inputs, split(4).targets
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
    for ours, theirs in zip(own.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-7)


def test_clipping_bounds_the_norm_of_the_step() -> None:
    own = parts(count=4, plain=True, lr=1.0)
    before = [parameter.detach().clone() for parameter in own.model.parameters()]
    run(own, replace(PLAN, epochs=1, clip_norm=0.01))
    moved = torch.cat([(new - old).flatten() for new, old in zip(own.model.parameters(), before, strict=True)])
    torch.testing.assert_close(moved.norm(), torch.tensor(0.01), rtol=1e-3, atol=0)


def test_the_learning_rate_follows_the_schedule() -> None:
    steps = [report for report in run(parts(), replace(PLAN, log_every=1)) if isinstance(report, StepReport)]
    schedule = Cosine(total_steps=12)
    assert [report.learning_rate for report in steps] == [0.05 * schedule(step) for step in range(12)]


def test_the_reported_loss_is_the_mean_over_the_examples_since_the_last_report() -> None:
    own = parts(count=6, plain=True, lr=1e-12)
    first, second = (report for report in run(own, replace(PLAN, epochs=1, log_every=1)) if isinstance(report, StepReport))
    epoch = next(
        report for report in run(parts(count=6, plain=True, lr=1e-12), replace(PLAN, epochs=1)) if isinstance(report, EpochReport)
    )
    assert epoch.metrics["train/loss"] == pytest.approx((4 * first.loss + 2 * second.loss) / 6, rel=1e-6)


# When to save and to stop


def saves(reports: list[Report]) -> list[int]:
    return [report.step for report in reports if isinstance(report, SaveDue)]


def test_a_checkpoint_is_due_at_each_epochs_end_and_every_so_many_steps() -> None:
    assert saves(run(parts())) == [6, 12]
    assert saves(run(parts(), replace(PLAN, save_every=4))) == [4, 6, 8, 12]


def test_max_time_ends_the_fit_with_its_name_as_the_reason() -> None:
    assert run(parts(), replace(PLAN, max_time=1e-9)) == [SaveDue(0, "max_time")]


def test_patience_counts_epochs_without_a_better_monitor() -> None:
    progress = Progress()
    reports = run(parts(lr=0.0, plain=True), replace(PLAN, epochs=50, patience=3), progress)
    epochs = [report.best for report in reports if isinstance(report, EpochReport)]
    assert epochs == [True, False, False, False]
    assert progress.stopped_early
    assert saves(reports)[-1] == progress.step


@pytest.mark.parametrize(("monitor", "values", "best"), [
    ("val/accuracy", [0.5, 0.7, 0.7, 0.6], [True, True, False, False]),
    ("val/loss", [0.5, 0.7, 0.4, 0.4], [True, False, True, False]),
    ("last", [0.5, 0.7, 0.7, 0.6], [True, True, True, True]),
])  # fmt: skip
def test_best_is_the_highest_accuracy_the_lowest_loss_or_the_last(monitor: str, values: list[float], best: list[bool]) -> None:
    told = iter(values)

    def given(_predictions: Predictions) -> dict[str, float]:
        value = next(told)
        return {"val/loss": value, "val/accuracy": value}

    reports = run(parts(score=given), replace(PLAN, epochs=4, monitor=monitor))
    assert [report.best for report in reports if isinstance(report, EpochReport)] == best


# Averaged weights


def test_validation_sees_the_averaged_weights_and_training_goes_on_with_its_own() -> None:
    own = parts(plain=True)
    own.average = WeightAverage(own.model, decay=0.999)
    with torch.no_grad():
        for parameter in own.model.parameters():
            parameter.add_(1.0)
    before = copy.deepcopy(own.model.state_dict())
    with averaged_weights(own.model, own.average):
        assert equal(own.model.state_dict(), own.average.tensors())
        assert not equal(own.model.state_dict(), before)
    assert equal(own.model.state_dict(), before)


def test_own_weights_come_back_bit_for_bit_also_after_an_exception() -> None:
    own = parts()
    own.model.state_dict()["1.num_batches_tracked"] += 7
    before = copy.deepcopy(own.model.state_dict())
    with pytest.raises(KeyError), averaged_weights(own.model, own.average):
        raise KeyError
    assert equal(own.model.state_dict(), before)


# Bad numbers


def poisoned(change: Callable[[Tensor], Tensor], *, step: int) -> Objective:
    class Poisoned(Objective):
        def __call__(self, model: nn.Module, batch: Batch, *, rng: Any, step: int, at: int = step) -> Loss:
            logits = model(batch.inputs)
            value = nn.functional.cross_entropy(logits, batch.targets)
            return Loss(change(value) if step == at else value, logits)

    return Poisoned()


class InfiniteGradient(torch.autograd.Function):
    """Passes a number on; its gradient is infinite."""

    @staticmethod
    def forward(_context: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        return gradient * math.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value * math.nan, "loss is nan at step 3"),
        (lambda value: value * math.inf, "loss is inf at step 3"),
        (InfiniteGradient.apply, "gradient of 0.weight is not finite at step 3"),
    ],
)
def test_a_loss_or_gradient_that_is_not_finite_stops_before_the_optimizer_step(change: Any, message: str) -> None:
    own, progress = parts(objective=poisoned(change, step=3)), Progress()
    steps: list[dict[str, Tensor]] = []
    own.optimizer.register_step_post_hook(
        lambda *_: steps.append({n: p.detach().clone() for n, p in own.model.named_parameters()})
    )
    with pytest.raises(NonFiniteError, match=message) as caught:
        run(own, PLAN, progress)
    assert caught.value.code == 70
    assert progress.step == len(steps) == 3
    assert equal(dict(own.model.named_parameters()), steps[-1])
    assert all(value.isfinite().all() for value in own.model.parameters())
    dump = caught.value.dump
    assert dump["step"] == 3
    assert len(dump["examples"]) == 4
    assert dump["layers"][0] == "0.weight"


def test_a_poisoned_weight_is_found_in_the_step_that_uses_it() -> None:
    own = parts(plain=True)
    with torch.no_grad():
        own.model[3].weight[0, 0] = math.nan  # type: ignore[index]
    with pytest.raises(NonFiniteError, match="at step 0; stopped before the optimizer step") as caught:
        run(own)
    assert caught.value.dump["step"] == 0


def test_a_huge_learning_rate_stops_and_no_checkpoint_was_due_with_infinite_weights() -> None:
    own, finite = parts(plain=True, lr=1e38, count=24), []
    with pytest.raises(NonFiniteError):
        for report in fit(own, replace(PLAN, save_every=1, epochs=3), Progress()):
            if isinstance(report, SaveDue):
                finite.append(all(parameter.isfinite().all() for parameter in own.model.parameters()))
    assert all(finite)


def test_weights_that_became_infinite_are_not_saved() -> None:
    own, progress = parts(plain=True), Progress()

    def spoil(*_: Any) -> None:
        with torch.no_grad():
            next(own.model.parameters())[0, 0] = math.inf

    own.optimizer.register_step_post_hook(spoil)
    with pytest.raises(NonFiniteError, match=r"weights of 1\.weight are not finite after step 1") as caught:
        run(own, replace(PLAN, save_every=1), progress)
    assert caught.value.dump == {"step": 1, "layers": ["1.weight"]}


def test_a_validation_loss_that_is_not_finite_stops_before_the_save() -> None:
    reports = []
    with pytest.raises(NonFiniteError, match="val/loss is not finite after epoch 1"):
        for report in fit(parts(score=lambda _: {"val/loss": math.nan, "val/accuracy": 0.1}), PLAN, Progress()):
            reports.append(report)
    assert not any(isinstance(report, SaveDue) for report in reports)


# Precision


@pytest.mark.filterwarnings("ignore")
def test_bf16_trains() -> None:
    own = parts(plain=True)
    epochs = [report for report in run(own, replace(PLAN, precision="bf16", epochs=3)) if isinstance(report, EpochReport)]
    assert all(math.isfinite(report.metrics["train/loss"]) for report in epochs)
    assert all(parameter.dtype == torch.float32 for parameter in own.model.parameters())


def test_without_validation_data_training_runs_to_its_end_and_keeps_the_last_weights() -> None:
    own, progress = parts(), Progress()
    own.val = None
    reports = run(own, PLAN, progress)
    epochs = [report for report in reports if isinstance(report, EpochReport)]
    assert [set(report.metrics) for report in epochs] == [{"train/loss", "train/accuracy"}] * PLAN.epochs
    assert all(report.best for report in epochs)
    assert progress.best_step == progress.step == PLAN.epochs * PLAN.steps_per_epoch(len(own.train))
    assert progress.best_value is None


# The start, and what is frozen


def scores(values: list[float]) -> Callable[[Predictions], dict[str, float]]:
    left = iter(values)
    return lambda _: {"val/loss": 1.0, "val/accuracy": next(left)}


def test_a_start_that_no_epoch_beats_is_the_best() -> None:
    progress = Progress()
    reports = run(parts(score=scores([0.9, 0.5, 0.6, 0.7])), replace(PLAN, epochs=3, score_start=True), progress)
    best = [report.epoch for report in reports if isinstance(report, EpochReport) and report.best]
    assert best == [-1]
    assert (progress.best_step, progress.best_value) == (0, 0.9)
    assert saves(reports)[0] == 0


def test_an_epoch_that_beats_the_start_takes_its_place() -> None:
    progress = Progress()
    run(parts(score=scores([0.6, 0.5, 0.7, 0.6])), replace(PLAN, epochs=3, score_start=True), progress)
    assert progress.best_value == 0.7
    assert progress.best_step == 2 * PLAN.steps_per_epoch(22)


def test_patience_is_for_the_epochs_and_not_for_a_good_start() -> None:
    progress = Progress()
    plan = replace(PLAN, epochs=4, patience=2, score_start=True)
    run(parts(score=scores([0.9, 0.3, 0.4, 0.5, 0.6])), plan, progress)
    assert progress.epochs_closed == 4
    assert progress.best_step == 0


def test_the_start_is_judged_once_also_by_a_fit_that_goes_on() -> None:
    plan, progress = replace(PLAN, epochs=2, score_start=True), Progress()
    own = parts()
    for report in fit(own, plan, progress):
        if isinstance(report, SaveDue):
            break
    later, again = restored(kept(own, progress))
    reports = run(later, plan, again)
    assert [report.epoch for report in reports if isinstance(report, EpochReport)] == [0, 1]


def test_val_can_be_judged_by_a_part_of_the_model_that_train_and_val_are_inputs_of() -> None:
    own = parts(plain=True)
    head = own.model[3]
    features = MemorySplit(torch.rand(10, 5), torch.arange(10) % 3)
    own = replace(own, train=features, val=features, forward=head, evaluated=head)
    before = own.model[1].weight.clone()
    reports = run(own, replace(PLAN, epochs=1))
    assert torch.equal(own.model[1].weight, before)
    expected = score(Predictions(head(features.inputs).detach(), features.targets, features.index))
    (report,) = [report for report in reports if isinstance(report, EpochReport)]
    assert report.metrics["val/loss"] == pytest.approx(expected["val/loss"], rel=1e-5)


def test_what_is_thawed_at_each_step_is_what_moves() -> None:
    def thaw(model: nn.Module, step: int) -> None:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("3.") or step >= 2)

    own = parts(plain=True, thaw=thaw)
    before = own.model[1].weight.clone()
    progress = Progress()
    for _ in fit(own, PLAN, progress, stop=lambda: 1 if progress.step == 2 else None):
        pass
    assert torch.equal(own.model[1].weight, before)
    for _ in fit(own, PLAN, progress, stop=lambda: 1 if progress.step == 3 else None):
        pass
    assert not torch.equal(own.model[1].weight, before)


# Robust accuracy: a judge beside the score, and a guard that ends what has collapsed


def judging(figures: list[float]) -> Callable[[nn.Module, Callable[[], None]], dict[str, float]]:
    return lambda _model, _check: {"val/robust_accuracy": figures.pop(0)}


def test_what_a_judge_finds_stands_beside_the_figures_of_val() -> None:
    reports = [report for report in run(parts(judge=judging([0.25, 0.5]))) if isinstance(report, EpochReport)]
    assert [report.metrics["val/robust_accuracy"] for report in reports] == [0.25, 0.5]
    assert all("val/accuracy" in report.metrics for report in reports)


def test_a_judge_is_shown_the_averaged_weights() -> None:
    seen: list[Tensor] = []

    def judge(model: nn.Module, _check: Callable[[], None]) -> dict[str, float]:
        seen.append(next(iter(model.parameters())).detach().clone())
        return {}

    own = parts(judge=judge)
    run(own, replace(PLAN, epochs=1))
    assert own.average is not None
    assert torch.equal(seen[0], next(iter(own.average.tensors().values())))
    assert not torch.equal(seen[0], next(iter(own.model.parameters())))


def test_a_signal_while_the_judge_is_at_work_leaves_the_epoch_open() -> None:
    arrived: list[int] = []

    def judge(_model: nn.Module, check: Callable[[], None]) -> dict[str, float]:
        arrived.append(15)
        check()
        return {"val/robust_accuracy": 1.0}

    progress = Progress()
    reports = run(parts(judge=judge), PLAN, progress, stop=lambda: arrived[0] if arrived else None)
    assert progress.epochs_closed == 0
    assert reports[-1] == SaveDue(progress.step, 15)
    assert not [report for report in reports if isinstance(report, EpochReport)]


@pytest.mark.parametrize("monitor", ["val/robust_accuracy", "last", "val/accuracy"])
def test_the_guard_ends_a_fit_that_has_collapsed_and_its_weights_are_not_the_best(monitor: str) -> None:
    plan, progress = replace(PLAN, epochs=9, guard=0.2, monitor=monitor), Progress()
    reports = [r for r in run(parts(judge=judging([0.1, 0.5, 0.35, 0.25, 0.9])), plan, progress) if isinstance(r, EpochReport)]
    # 0.35 is less than 0.2 below the best, 0.25 is more.
    assert [report.fallen_from for report in reports] == [None, None, None, 0.5]
    assert not reports[-1].best
    assert progress.stopped_early
    assert progress.best_step is not None
    assert progress.best_step < progress.step == 24
    if monitor == "val/robust_accuracy":
        assert (progress.best_step, progress.best_value) == (12, 0.5)
    if monitor == "last":
        assert progress.best_step == 18


def test_without_a_guard_a_collapse_is_only_reported() -> None:
    progress = Progress()
    run(parts(judge=judging([0.9, 0.0])), replace(PLAN, monitor="val/robust_accuracy"), progress)
    assert (progress.step, progress.stopped_early, progress.best_value) == (12, False, 0.9)


def test_a_fit_that_has_collapsed_does_not_go_on_when_it_is_resumed() -> None:
    plan, progress = replace(PLAN, epochs=5, guard=0.2, monitor="val/robust_accuracy"), Progress()
    own = parts(judge=judging([0.9, 0.0]))
    run(own, plan, progress)
    again, resumed = restored(kept(own, progress), judge=judging([]))
    assert run(again, plan, resumed) == []
    assert resumed == progress


def test_the_guard_remembers_the_best_over_a_resume() -> None:
    plan, progress = replace(PLAN, epochs=5, guard=0.2, monitor="val/robust_accuracy"), Progress()
    own = parts(judge=judging([0.9]))
    run(own, plan, progress, stop=lambda: 15 if progress.epochs_closed else None)
    again, resumed = restored(kept(own, progress), judge=judging([0.6]))
    reports = [report for report in run(again, plan, resumed) if isinstance(report, EpochReport)]
    assert [report.fallen_from for report in reports] == [0.9]
