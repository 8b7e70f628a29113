"""Targets that are shares of classes go through a fit and through every loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.augment.standard import Standard
from dlcli.classifier import class_logits
from dlcli.contracts import Augment, Batch, DataSpec, Loss, Objective
from dlcli.data.memory import MemorySplit
from dlcli.engine.fit import Parts, Plan, Progress, fit
from dlcli.engine.reports import EpochReport
from dlcli.errors import UsageError
from dlcli.losses.binary_cross_entropy import BinaryCrossEntropy
from dlcli.losses.cross_entropy import CrossEntropy
from dlcli.losses.focal import Focal
from dlcli.losses.hinge import Hinge
from dlcli.losses.mean_squared_error import MeanSquaredError
from dlcli.losses.perceptron import Perceptron
from dlcli.losses.supervised import Supervised
from dlcli.optim.schedules import Constant
from dlcli.randomness import SampleKeys

PLAN = Plan(
    epochs=1,
    batch_size=4,
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


@dataclass(frozen=True, kw_only=True)
class Halves(Augment):
    """Half of each example is the one before it in its batch."""

    def __call__(self, inputs: Tensor, *, rng: SampleKeys, step: int) -> Tensor:
        return inputs

    def batch(self, batch: Batch, *, rng: SampleKeys, step: int) -> Batch:
        shares = nn.functional.one_hot(batch.targets, 3).float()
        inputs = (batch.inputs + batch.inputs.roll(1, 0)) / 2
        return replace(batch, inputs=inputs, targets=(shares + shares.roll(1, 0)) / 2)


class Watched(Objective):
    """Keeps the batches that a loss was taken of."""

    def __init__(self, loss: nn.Module) -> None:
        self.inner, self.seen = Supervised(loss), list[Batch]()

    def __call__(self, model: nn.Module, batch: Batch, *, rng: SampleKeys, step: int) -> Loss:
        self.seen.append(batch)
        return self.inner(model, batch, rng=rng, step=step)


def fitted(augment: Augment, model: nn.Module, data: MemorySplit) -> tuple[list[Any], Watched]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for group in optimizer.param_groups:
        group["initial_lr"] = 0.0  # the weights stay, so what is reported can be worked out by hand
    watched = Watched(CrossEntropy())
    parts = Parts(
        model=model,
        forward=model,
        train=data,
        val=data,
        augment=augment,
        objective=watched,
        optimizer=optimizer,
        schedule=Constant(total_steps=9),
        score=lambda _: {"val/accuracy": 1.0, "val/loss": 0.0},
        device=torch.device("cpu"),
    )
    return list(fit(parts, PLAN, Progress())), watched


def test_a_fit_minimises_the_mixed_targets_and_counts_hits_on_the_unmixed_ones() -> None:
    data = MemorySplit(torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    reports, watched = fitted(Halves(), model, data)
    losses, hits = [], 0
    for batch in watched.seen:
        assert batch.targets.shape == (4, 3)
        assert set(batch.targets.unique().tolist()) <= {0.0, 0.5, 1.0}
        logits = model(batch.inputs).detach()
        losses.append(-(batch.targets * logits.log_softmax(dim=1)).sum(dim=1).mean().item())
        hits += int((logits.argmax(dim=1) == batch.index % 3).sum())
    (epoch,) = (report for report in reports if isinstance(report, EpochReport))
    torch.testing.assert_close(epoch.metrics["train/loss"], sum(losses) / 3, rtol=1e-5, atol=0)
    assert epoch.metrics["train/accuracy"] == hits / 12


def mixed_batch(classes: int) -> Batch:
    """Thirty images mixed by mixup or cutmix, and their shares of classes."""
    spec = DataSpec(
        name="noise", shape=(1, 8, 8), classes=tuple("abcdef"[:classes]), mean=(0.5,), std=(0.3,), epsilon={"linf": 0.1}
    )
    inputs = torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    batch = Batch(inputs, torch.arange(30) % classes, torch.arange(30))
    return Standard(spec=spec, mixup=1.0, cutmix=1.0).batch(batch, rng=SampleKeys(0, batch.index), step=0)


def logits_for(outputs: int) -> Tensor:
    return torch.randn(30, outputs, generator=torch.Generator().manual_seed(2)).requires_grad_()


@pytest.mark.parametrize(("loss", "outputs", "classes"), [
    (CrossEntropy(reduction="none"), 3, 3),
    (CrossEntropy(reduction="none"), 1, 2),
    (CrossEntropy(label_smoothing=0.1, reduction="none"), 3, 3),
    (CrossEntropy(class_weights=[1.0, 2.0, 5.0], reduction="none"), 3, 3),
    (CrossEntropy(label_smoothing=0.1, class_weights=[1.0, 2.0, 5.0], reduction="none"), 3, 3),
    (BinaryCrossEntropy(reduction="none"), 1, 2),
    (BinaryCrossEntropy(reduction="none"), 3, 3),
    (BinaryCrossEntropy(pos_weight=3.0, reduction="none"), 1, 2),
    (Focal(reduction="none"), 3, 3),
])  # fmt: skip
def test_a_loss_that_is_linear_in_its_targets_is_the_mean_of_its_values_for_each_class_by_their_shares(loss, outputs, classes):
    targets, logits = mixed_batch(classes).targets, logits_for(outputs)
    assert ((targets > 0) & (targets < 1)).any()
    each = torch.stack([loss(logits, torch.full((30,), number)) for number in range(classes)], dim=1)
    torch.testing.assert_close(loss(logits, targets), (targets * each).sum(dim=1), rtol=1e-5, atol=1e-6)


def test_label_smoothing_and_class_weights_of_shared_targets_are_those_of_the_formula():
    targets, logits, weights = mixed_batch(3).targets, logits_for(3), torch.tensor([1.0, 2.0, 5.0])
    smoothed = 0.9 * targets + 0.1 / 3
    expected = -(smoothed * weights * logits.log_softmax(dim=1)).sum(dim=1).mean()
    loss = CrossEntropy(label_smoothing=0.1, class_weights=[1.0, 2.0, 5.0])
    torch.testing.assert_close(loss(logits, targets), expected)


@pytest.mark.parametrize(("outputs", "classes"), [(1, 2), (3, 3)])
def test_the_brier_score_of_shared_targets_is_that_of_the_formula(outputs, classes):
    targets, logits = mixed_batch(classes).targets, logits_for(outputs)
    expected = (class_logits(logits).softmax(dim=1) - targets).square().sum(dim=1).mean()
    torch.testing.assert_close(MeanSquaredError()(logits, targets), expected)


@pytest.mark.parametrize(("outputs", "classes"), [(1, 2), (3, 3)])
@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy(), MeanSquaredError(), Focal()])
def test_every_example_with_a_shared_target_pulls_at_its_logits(loss, outputs, classes):
    logits = logits_for(outputs)
    loss(logits, mixed_batch(classes).targets).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("loss", [Hinge(), Perceptron()])
def test_losses_of_one_class_per_example_refuse_shares_with_a_message(loss):
    with pytest.raises(UsageError, match="needs one class per example, not shares of classes"):
        loss(logits_for(3), mixed_batch(3).targets)


def test_a_fit_with_every_kind_of_augmentation_sees_the_same_images_twice_and_others_without():
    spec = DataSpec(name="noise", shape=(1, 8, 8), classes=tuple("abc"), mean=(0.5,), std=(0.3,), epsilon={"linf": 0.1})
    data = MemorySplit(torch.rand(24, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(24) % 3)
    values = {"crop": 1, "flip": 0.5, "degrees": 10.0, "policy": "trivial", "cutout": 2, "mixup": 0.2, "cutmix": 1.0}
    seen = []
    for own in (values, values, {}):
        reports, watched = fitted(Standard(spec=spec, **own), nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), data)
        assert any(isinstance(report, EpochReport) for report in reports)
        seen.append(torch.cat([batch.inputs for batch in watched.seen]))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
