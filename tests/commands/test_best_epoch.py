"""A fit in memory keeps its best epoch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dlcli.classifier import Preprocessing
from dlcli.commands.best_epoch import fit_and_keep_best
from dlcli.commands.bundle import load_bundle
from dlcli.commands.console import Talk
from dlcli.commands.models import assemble
from dlcli.commands.signals import StopFlag
from dlcli.commands.training import Job, prepare
from dlcli.config.compose import compose
from dlcli.config.schema import TrainSettings, checked_settings
from dlcli.contracts import Predictions
from dlcli.errors import Interrupted


def job(*overrides: str) -> Job:
    few = ["data=digits", "model=mlp", "model.widths=[8]", "limit_train=64", "trainer.epochs=3", "trainer.monitor=val/accuracy"]
    found = checked_settings("train", compose("train", [*few, *overrides]))
    assert isinstance(found, TrainSettings)
    bundle = load_bundle(found)
    torch.manual_seed(0)
    model = assemble(found.model, bundle.spec, Preprocessing.of(bundle.spec))
    return prepare(found, model, bundle, node=found.model, device=torch.device("cpu"), talk=Talk(quiet=True))


def test_the_best_epochs_weights_stay_and_not_the_last() -> None:
    own, seen = job(), []

    def score(_predictions: Predictions) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in own.model.state_dict().items()})
        return {"val/accuracy": [0.1, 0.9, 0.5][len(seen) - 1], "val/loss": 1.0}

    own = replace(own, parts=replace(own.parts, score=score))
    assert fit_and_keep_best(own, StopFlag()) == 2
    assert all(torch.equal(tensor, seen[1][name]) for name, tensor in own.model.state_dict().items())
    assert not torch.equal(own.model.state_dict()["net.head.weight"], seen[2]["net.head.weight"])


def test_it_tells_how_far_it_is() -> None:
    own, told = job(), []
    fit_and_keep_best(own, StopFlag(), tell=told.append)
    assert told == sorted(told)
    assert told[-1] == own.total_steps


def test_a_signal_ends_it() -> None:
    flag = StopFlag()
    flag.number = 2
    with pytest.raises(Interrupted):
        fit_and_keep_best(job(), flag)
