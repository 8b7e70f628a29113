"""Targets that are shares of classes go through a fit and through every loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.contracts import Augment, Batch, Loss, Objective
from dlcli.data.memory import MemorySplit
from dlcli.engine.fit import Parts, Plan, Progress, fit
from dlcli.engine.reports import EpochReport
from dlcli.losses.cross_entropy import CrossEntropy
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
