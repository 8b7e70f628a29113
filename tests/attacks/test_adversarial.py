"""Training on the worst points: the value is the exact one where that is known, and the gradient flows through the last look."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.adversarial import Adversarial
from dlcli.contracts import Batch
from dlcli.losses.binary_cross_entropy import BinaryCrossEntropy
from dlcli.losses.cross_entropy import CrossEntropy
from dlcli.losses.supervised import Supervised
from dlcli.randomness import SampleKeys


def objective(loss: nn.Module | None = None, **changes: Any) -> Adversarial:
    return Adversarial(loss=loss or CrossEntropy(), **{"epsilon": 0.25, **changes})


def images(count: int = 8, seed: int = 0) -> Batch:
    inputs = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    return Batch(inputs, torch.arange(count) % 3, torch.arange(count))


def keys(batch: Batch, seed: int = 0) -> SampleKeys:
    return SampleKeys(seed, batch.index)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 3))


def table() -> tuple[nn.Linear, Batch, Tensor]:
    """A linear classifier with one logit on rows that no box holds, and each row's margin."""
    torch.manual_seed(0)
    model, inputs = nn.Linear(6, 1), torch.randn(9, 6)
    targets = torch.arange(9) % 2
    margin = (2 * targets - 1) * model(inputs)[:, 0].detach()
    return model, Batch(inputs, targets, torch.arange(9)), margin


@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()], ids=["cross-entropy", "binary"])
@pytest.mark.parametrize("settings", [{"steps": 7}, {"steps": 1, "reach": 2.0}], ids=["pgd", "one step"])
def test_on_a_linear_classifier_the_value_is_the_exact_worst_one_in_linf(loss: nn.Module, settings: dict[str, Any]) -> None:
    model, batch, margin = table()
    found = objective(loss, **settings)(model, batch, rng=keys(batch), step=0)
    worst = margin - 0.25 * model.weight.detach().abs().sum()
    assert float(found.value.detach()) == pytest.approx(float(nn.functional.softplus(-worst).mean()), rel=1e-5)


def test_on_a_linear_classifier_the_value_is_the_exact_worst_one_in_l2() -> None:
    model, batch, margin = table()
    found = objective(norm="l2", steps=30, reach=20.0)(model, batch, rng=keys(batch), step=0)
    worst = margin - 0.25 * model.weight.detach().norm()
    assert float(found.value.detach()) == pytest.approx(float(nn.functional.softplus(-worst).mean()), rel=1e-3)


def test_the_value_is_the_loss_of_the_points_in_training_mode() -> None:
    batch, own, model, twin = images(), objective(steps=3), network(), network()
    points = own.crafted(model, batch, rng=keys(batch), step=4)
    torch.manual_seed(5)
    found = own(model, batch, rng=keys(batch), step=4)
    torch.manual_seed(5)
    logits = twin(points)
    assert torch.equal(found.logits, logits)
    assert torch.equal(found.value, CrossEntropy()(logits, batch.targets))


def test_the_gradient_is_that_of_the_loss_at_the_points_as_they_are() -> None:
    batch, own, model, twin = images(), objective(steps=3), network().eval(), network().eval()
    own(model, batch, rng=keys(batch), step=0).value.backward()
    points = own.crafted(twin, batch, rng=keys(batch), step=0)
    assert not points.requires_grad
    CrossEntropy()(twin(points), batch.targets).backward()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)


def test_points_are_found_in_evaluation_mode_so_batch_norm_sees_only_what_is_learned_from() -> None:
    batch, model = images(), network().train()
    objective(steps=5)(model, batch, rng=keys(batch), step=0)
    assert int(model[1].num_batches_tracked) == 1
    assert all(module.training for module in model.modules())


def test_gradients_that_are_there_already_are_added_to() -> None:
    batch, model = images(), network().eval()
    own = objective(steps=2)
    own(model, batch, rng=keys(batch), step=0).value.backward()
    once = [parameter.grad.clone() for parameter in model.parameters()]
    own(model, batch, rng=keys(batch), step=0).value.backward()
    for parameter, before in zip(model.parameters(), once, strict=True):
        assert torch.allclose(parameter.grad, 2 * before)


def test_points_depend_on_seed_step_and_example_and_on_nothing_else() -> None:
    batch, own, model = images(), objective(steps=1), network().eval()
    points = own.crafted(model, batch, rng=keys(batch), step=3)
    torch.manual_seed(99)
    back = torch.arange(7, -1, -1)
    reversed_batch = Batch(batch.inputs[back], batch.targets[back], batch.index[back])
    assert torch.allclose(own.crafted(model, reversed_batch, rng=keys(reversed_batch), step=3)[back], points, atol=1e-6)
    assert not torch.equal(own.crafted(model, batch, rng=keys(batch), step=4), points)
    assert not torch.equal(own.crafted(model, batch, rng=keys(batch, seed=1), step=3), points)


def test_without_a_random_start_one_step_is_fgsm() -> None:
    batch, model = images(), network().eval()
    points = objective(steps=1, reach=1.0, random_start=False).crafted(model, batch, rng=keys(batch), step=0)
    leaf = batch.inputs.clone().requires_grad_()
    (slope,) = torch.autograd.grad(nn.functional.cross_entropy(model(leaf), batch.targets), leaf)
    assert torch.allclose(points, (batch.inputs + 0.25 * slope.sign()).clamp(0, 1), atol=1e-6)


def test_a_start_that_is_not_clipped_leaves_points_between_the_extremes_and_they_are_clipped_all_the_same() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    batch = Batch(torch.zeros(4, 1, 8, 8), torch.tensor([0, 1, 0, 1]), torch.arange(4))
    between = []
    for clip in (True, False):
        points = objective(steps=1, reach=1.25, clip_start=clip).crafted(model, batch, rng=keys(batch), step=0)
        assert 0 <= float(points.min()) <= float(points.max()) <= 0.25
        between.append(float(((points > 0) & (points < 0.25)).float().mean()))
    # Of black pixels pushed upwards, a clipped start is carried to the edge wherever it was; a free one falls short of it where
    # it was below zero by more than the step overshoots, in three of eight cases, and half of the pixels are pushed upwards.
    assert between[0] == 0
    assert between[1] == pytest.approx(3 / 16, abs=0.08)


@pytest.mark.parametrize("start", [True, False])
def test_the_radius_rises_over_the_warm_up(start: bool) -> None:
    batch, model = images(), network().eval()
    own = objective(steps=1, reach=2.0, random_start=start, warmup=0.5, total_steps=8)
    sizes = [float((own.crafted(model, batch, rng=keys(batch), step=step) - batch.inputs).abs().max()) for step in range(6)]
    assert sizes == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25, 0.25], abs=1e-6)


def test_at_radius_zero_it_is_plain_training() -> None:
    batch, model, twin = images(), network(), network()
    torch.manual_seed(3)
    plain = Supervised(CrossEntropy(label_smoothing=0.1))(model, batch, rng=keys(batch), step=0)
    torch.manual_seed(3)
    own = objective(CrossEntropy(label_smoothing=0.1), epsilon=0.0)(twin, batch, rng=keys(batch), step=0)
    assert torch.equal(own.value, plain.value)


def test_shared_targets_are_attacked_at_the_class_with_the_largest_share_and_learned_as_they_are() -> None:
    batch, model = images(), network().eval()
    shares = 0.7 * nn.functional.one_hot(batch.targets, 3).float() + 0.1
    own = objective(steps=2)
    mixed = own(model, Batch(batch.inputs, shares, batch.index), rng=keys(batch), step=0)
    points = own.crafted(model, batch, rng=keys(batch), step=0)
    assert torch.equal(mixed.value, CrossEntropy()(model(points), shares))


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_it_works_in_half_precision_and_the_points_stay_in_float32(dtype: torch.dtype) -> None:
    batch, model = images(), network().train()
    with torch.autocast("cpu", dtype=dtype):
        own = objective(steps=2)
        points = own.crafted(model, batch, rng=keys(batch), step=0)
        own(model, batch, rng=keys(batch), step=0).value.backward()
    assert points.dtype == torch.float32
    assert float((points - batch.inputs).abs().max()) <= 0.25 + 1e-6
    assert all(bool(parameter.grad.isfinite().all()) for parameter in model.parameters())


def test_a_compiled_model_gives_the_same_and_gets_its_mode_back() -> None:
    batch, model = images(), network().train()
    twin = network().train()
    compiled = torch.compile(twin, backend="eager")
    torch.manual_seed(2)
    plain = objective(steps=2)(model, batch, rng=keys(batch), step=0)
    torch.manual_seed(2)
    found = objective(steps=2)(compiled, batch, rng=keys(batch), step=0)
    assert torch.allclose(found.value, plain.value, atol=1e-6)
    assert twin.training
    assert compiled.training


@pytest.mark.parametrize("changes", [{"guard": 2.0}, {"steps": 0}, {"reach": -1.0}, {"epsilon": 80.0}])
def test_a_value_out_of_range_is_refused_before_anything_runs(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(changes))} must be"):
        objective(**changes)


def test_it_says_what_it_trains_against() -> None:
    assert (objective().threat.norm, objective().threat.epsilon) == ("linf", 0.25)
    assert objective(guard=0.2).guard == 0.2
    assert Supervised(CrossEntropy()).threat is None
    assert Supervised(CrossEntropy()).guard is None
