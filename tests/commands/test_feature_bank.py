"""Features that many fits share."""

from __future__ import annotations

import pytest
import torch

from dlcli.commands.comparison import Comparison
from dlcli.commands.console import Talk
from dlcli.commands.curve_record import Cell
from dlcli.commands.feature_bank import feature_bank
from dlcli.commands.signals import StopFlag
from dlcli.engine.evaluate import evaluate, joined
from dlcli.errors import Interrupted

QUIET = Talk(quiet=True)


def test_the_head_makes_the_networks_logits_of_them(comparison: Comparison) -> None:
    cells = [Cell(labels=3, seed=seed, arm="linear_probe") for seed in (0, 1)]
    bank = feature_bank(comparison, cells, talk=QUIET, flag=StopFlag())
    model, rows = comparison.network.model, comparison.subset(3, 1).train
    head = model.get_submodule(comparison.head)
    for split, features in ((comparison.bundle.train.select(rows), bank.at(rows)), (comparison.test, bank.test)):
        whole, part = (joined(evaluate(net, own, batch_size=50)) for net, own in ((model, split), (head, features)))
        assert torch.allclose(whole.logits, part.logits, atol=1e-4)
        assert torch.equal(whole.targets, part.targets)
        assert torch.equal(whole.index, part.index)


def test_each_example_is_computed_once_for_all_counts_and_seeds(comparison: Comparison) -> None:
    bank = feature_bank(comparison, comparison.cells(), talk=QUIET, flag=StopFlag())
    assert torch.equal(bank.rows, bank.rows.unique())
    assert 3 * 10 <= len(bank.rows) <= 2 * 3 * 10


def test_only_what_is_missing_is_computed(comparison: Comparison) -> None:
    bank = feature_bank(comparison, [Cell(labels=2, seed=0, arm="finetuned")], talk=QUIET, flag=StopFlag())
    assert len(bank.rows) == 2 * 10


def test_a_signal_stops_it(comparison: Comparison) -> None:
    flag = StopFlag()
    flag.number = 2
    with pytest.raises(Interrupted):
        feature_bank(comparison, comparison.cells(), talk=QUIET, flag=flag)
