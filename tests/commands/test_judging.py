"""The judge: the share that is right before and after PGD, on a fixed part of a split."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.commands.judging import VAL_STEPS, Judge, val_judge
from dlcli.contracts import Threat
from dlcli.data.memory import MemorySplit
from dlcli.engine.state import Plan
from dlcli.losses.supervised import Supervised

PLAN = Plan(
    epochs=1, batch_size=4, eval_batch_size=8, accumulate=1, precision="fp32", clip_norm=None, patience=None, max_time=None,
    save_every=None, log_every=1, monitor="last", seed=0,
)  # fmt: skip


class Middle(nn.Module):
    """Class 1 where the mean pixel is above a half: an example is robust where its mean is further from that than epsilon."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return 10 * (inputs.flatten(1).mean(dim=1, keepdim=True) - 0.5)


def split() -> MemorySplit:
    means = torch.tensor([0.05, 0.3, 0.45, 0.55, 0.7, 0.95, 0.9, 0.1])
    return MemorySplit(means[:, None, None, None].expand(8, 1, 4, 4).contiguous(), torch.tensor([0, 0, 0, 1, 1, 1, 0, 1]))


def judge(**changes: object) -> Judge:
    values = {"steps": 5, "limit": 100, "batch_size": 3, "seed": 0}
    return Judge.of(Threat("linf", 0.1), split(), **{**values, **changes})  # type: ignore[arg-type]


def test_it_counts_what_is_right_without_the_attack_and_with_it() -> None:
    metric = judge()(Middle())
    # The last two are wrong to begin with, and those at 0.45 and 0.55 are within reach of the middle.
    assert (metric.value, metric.n, metric.method) == (0.5, 8, "wilson")
    assert judge().on_val(Middle(), lambda: None) == {"val/robust_accuracy": 0.5}


def test_its_part_of_the_split_has_the_class_shares_of_the_whole_and_is_always_the_same() -> None:
    own = judge(limit=4).split
    assert own.targets.bincount().tolist() == [2, 2]
    assert torch.equal(next(own.batches(torch.arange(4), 4)).index, next(judge(limit=4).split.batches(torch.arange(4), 4)).index)


def test_it_says_what_the_figure_rests_on() -> None:
    assert judge().words() == "PGD-5, linf, epsilon 0.1, one random start, on 8 examples"


def test_a_signal_stops_it_between_batches() -> None:
    def check() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge()(Middle(), check)


def test_there_is_nothing_to_judge_without_an_attack_or_without_val() -> None:
    from dlcli.attacks.adversarial import Adversarial

    against = Adversarial(loss=nn.CrossEntropyLoss(), epsilon=0.1)
    assert val_judge(Supervised(nn.CrossEntropyLoss()), split(), PLAN, limit=5) is None
    assert val_judge(against, None, PLAN, limit=5) is None
    found = val_judge(against, split(), PLAN, limit=5)
    assert found is not None
    assert (found.attack.threat, len(found.split)) == (Threat("linf", 0.1), 5)
    assert f"PGD-{VAL_STEPS}" in found.words()
