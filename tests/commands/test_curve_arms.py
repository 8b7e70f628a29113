"""The three arms on one choice of labels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dlcli.commands import comparison as module
from dlcli.commands import curve_arms
from dlcli.commands.best_epoch import fit_and_keep_best
from dlcli.commands.comparison import Comparison
from dlcli.commands.console import Talk
from dlcli.commands.curve_arms import fits
from dlcli.commands.curve_record import ARMS, Cell
from dlcli.commands.feature_bank import FeatureBank, feature_bank
from dlcli.commands.signals import StopFlag
from dlcli.commands.training import Job
from dlcli.engine.reports import NonFiniteError
from dlcli.errors import Interrupted


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_STEPS", 10)


@pytest.fixture
def bank(comparison: Comparison) -> FeatureBank:
    return feature_bank(comparison, comparison.cells(), talk=Talk(quiet=True), flag=StopFlag())


def shares(comparison: Comparison, bank: FeatureBank | None, arms: list[str], *, seed: int = 0) -> dict[str, float]:
    found = fits(comparison, 3, seed, arms, bank=bank, flag=StopFlag())
    return {cell.arm: outcome.accuracy for cell, outcome in found}


def test_an_arm_comes_to_the_same_whichever_others_are_done_beside_it(comparison: Comparison, bank: FeatureBank) -> None:
    together = shares(comparison, bank, list(ARMS))
    assert list(together) == list(ARMS)
    for arm in ARMS:
        assert shares(comparison, bank, [arm]) == {arm: together[arm]}


def test_from_scratch_needs_no_features(comparison: Comparison) -> None:
    assert 0 <= shares(comparison, None, ["from_scratch"])["from_scratch"] <= 1


def test_another_seed_is_another_fit(comparison: Comparison, bank: FeatureBank) -> None:
    assert shares(comparison, bank, list(ARMS), seed=0) != shares(comparison, bank, list(ARMS), seed=1)


def test_what_the_network_knows_shows_after_a_few_steps(
    comparison: Comparison, bank: FeatureBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIN_STEPS", 4)
    for seed in comparison.seeds:
        found = shares(comparison, bank, ["finetuned", "from_scratch"], seed=seed)
        assert found["finetuned"] > found["from_scratch"] + 0.2


def test_a_strategy_without_a_head_first_starts_from_a_new_head(comparison: Comparison, bank: FeatureBank) -> None:
    strategy = replace(comparison.settings.strategy, probe_epochs=0)
    full = replace(comparison, settings=replace(comparison.settings, strategy=strategy))
    alone, beside = shares(full, bank, ["finetuned"]), shares(full, bank, ["linear_probe", "finetuned"])
    assert alone["finetuned"] == beside["finetuned"]


def test_finetuning_starts_from_the_probes_head(
    comparison: Comparison, bank: FeatureBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole network that takes no step is as good as the probe."""

    def heads_alone(job: Job, flag: StopFlag) -> int:
        return 0 if job.parts.forward is job.model else fit_and_keep_best(job, flag)

    monkeypatch.setattr(curve_arms, "fit_and_keep_best", heads_alone)
    found = shares(comparison, bank, ["linear_probe", "finetuned"])
    assert found["finetuned"] == found["linear_probe"] > 0.3


def test_numbers_that_are_not_finite_name_their_fit(comparison: Comparison) -> None:
    wild = replace(comparison, settings=replace(comparison.settings, optimizer={**comparison.settings.optimizer, "lr": 1e30}))
    with pytest.raises(NonFiniteError) as caught:
        shares(wild, None, ["from_scratch"])
    assert caught.value.__notes__ == ["in the fit 'from scratch' with 3 labels per class and seed 0"]


def test_a_signal_ends_it(comparison: Comparison) -> None:
    flag = StopFlag()
    flag.number = 15
    with pytest.raises(Interrupted):
        list(fits(comparison, 3, 0, ["from_scratch"], bank=None, flag=flag))


def test_the_networks_in_common_stay_as_they_are(comparison: Comparison, bank: FeatureBank) -> None:
    before = {name: tensor.clone() for name, tensor in comparison.network.model.state_dict().items()}
    shares(comparison, bank, list(ARMS))
    assert all(torch.equal(tensor, before[name]) for name, tensor in comparison.network.model.state_dict().items())
    assert comparison.cells()[0] == Cell(labels=2, seed=0, arm="linear_probe")
