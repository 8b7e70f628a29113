"""TRADES: its value by hand, its gradient through both answers, its climb from beside the example."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlcli.attacks.trades import Trades
from dlcli.contracts import Batch
from dlcli.losses.cross_entropy import CrossEntropy
from dlcli.losses.supervised import Supervised
from dlcli.randomness import SampleKeys

BATCH = Batch(torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3, torch.arange(6))
KEYS = SampleKeys(0, BATCH.index)


def network(*, norm: bool = True) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4) if norm else nn.Identity(), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    )


def objective(**changes: Any) -> Trades:
    return Trades(loss=CrossEntropy(), **{"epsilon": 0.2, "steps": 4, **changes})


def divergence(clean: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    p, q = clean.softmax(dim=1), moved.softmax(dim=1)
    return (p * (p / q).log()).sum(dim=1).mean()


@pytest.mark.parametrize("beta", [0.5, 6.0])
def test_the_value_is_the_clean_loss_plus_beta_times_the_divergence(beta: float) -> None:
    model, own = network().eval(), objective(beta=beta)
    points = own.crafted(model, BATCH, rng=KEYS, step=0)
    clean, moved = model(BATCH.inputs), model(points)
    expected = nn.functional.cross_entropy(clean, BATCH.targets) + beta * divergence(clean, moved)
    found = own(model, BATCH, rng=KEYS, step=0)
    assert float(found.value.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert torch.equal(found.logits, clean)


def test_the_gradient_flows_through_the_clean_answers_and_through_those_that_moved() -> None:
    model, twin, own = network(norm=False), network(norm=False), objective()
    own(model, BATCH, rng=KEYS, step=0).value.backward()
    points = own.crafted(twin, BATCH, rng=KEYS, step=0)
    assert not points.requires_grad
    clean, moved = twin(BATCH.inputs), twin(points)
    (nn.functional.cross_entropy(clean, BATCH.targets) + 6.0 * divergence(clean, moved)).backward()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)


def test_the_climb_raises_the_divergence_step_by_step() -> None:
    model = network().eval().requires_grad_(False)
    clean = model(BATCH.inputs)
    found = [
        float(divergence(clean, model(objective(steps=steps, reach=0.5 * steps).crafted(model, BATCH, rng=KEYS, step=0))))
        for steps in (1, 2, 4)
    ]
    assert 0 < found[0] < found[1] <= found[2] * 1.001


def test_the_clean_answers_are_found_in_evaluation_mode() -> None:
    model = network().train()
    objective()(model, BATCH, rng=KEYS, step=0)
    assert int(model[1].num_batches_tracked) == 2  # the clean and the moved batch, learned from
    assert all(module.training for module in model.modules())


def test_points_stay_in_the_ball_and_the_box() -> None:
    points = objective().crafted(network(), BATCH, rng=KEYS, step=0)
    assert 0.1 < float((points - BATCH.inputs).abs().max()) <= 0.2 + 1e-6
    assert 0 <= float(points.min()) <= float(points.max()) <= 1


def test_points_depend_on_seed_step_and_example_and_on_nothing_else() -> None:
    model, own = network().eval(), objective()
    points = own.crafted(model, BATCH, rng=KEYS, step=1)
    torch.manual_seed(9)
    part = Batch(BATCH.inputs[2:4], BATCH.targets[2:4], BATCH.index[2:4])
    assert torch.allclose(own.crafted(model, part, rng=SampleKeys(0, part.index), step=1), points[2:4], atol=1e-5)
    assert not torch.equal(own.crafted(model, BATCH, rng=KEYS, step=2), points)


def test_with_beta_zero_it_is_plain_training() -> None:
    model = network().eval()
    plain = Supervised(CrossEntropy())(model, BATCH, rng=KEYS, step=0)
    assert torch.equal(objective(beta=0.0)(model, BATCH, rng=KEYS, step=0).value, plain.value)


def test_shared_targets_go_with_it_as_they_are() -> None:
    model, own = network().eval(), objective()
    shares = 0.7 * nn.functional.one_hot(BATCH.targets, 3).float() + 0.1
    mixed = own(model, Batch(BATCH.inputs, shares, BATCH.index), rng=KEYS, step=0).value
    hard = own(model, BATCH, rng=KEYS, step=0).value
    difference = CrossEntropy()(model(BATCH.inputs), shares) - CrossEntropy()(model(BATCH.inputs), BATCH.targets)
    assert float((mixed - hard).detach()) == pytest.approx(float(difference.detach()), abs=1e-5)


def test_one_binary_logit_counts_as_two_classes() -> None:
    torch.manual_seed(0)
    one = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    batch = Batch(BATCH.inputs, BATCH.targets % 2, BATCH.index)
    value = objective()(one, batch, rng=KEYS, step=0).value
    assert float(value.detach()) > float(CrossEntropy()(one(batch.inputs), batch.targets).detach())


@pytest.mark.parametrize("changes", [{"beta": -1.0}, {"beta": float("nan")}, {"guard": 0.0}, {"steps": 0}, {"warmup": 2.0}])
def test_a_value_out_of_range_is_refused_by_its_name(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(changes))} must be"):
        objective(**changes)


def test_it_says_what_it_trains_against() -> None:
    assert (objective().threat.norm, objective().threat.epsilon) == ("linf", 0.2)
