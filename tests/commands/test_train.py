"""``dl train``: what a resumed run may change, and that a dry run leaves no trace."""

import pytest
import torch

from dlcli.commands.console import Talk
from dlcli.commands.train import RESUMABLE_KEYS, _changed, train
from dlcli.config.compose import compose
from dlcli.config.invocation import Invocation
from dlcli.config.schema import TrainSettings, checked_settings
from dlcli.errors import UsageError
from dlcli.runs.run import runs_root


def settings(*overrides: str) -> TrainSettings:
    found = checked_settings("train", compose("train", ["experiment=digits", "trainer.epochs=1", *overrides]))
    assert isinstance(found, TrainSettings)
    return found


def test_a_resumed_run_takes_more_time_and_another_device() -> None:
    values = {"device": "auto", "trainer": {"max_time": 5.0}}
    changed = _changed(values, ["trainer.max_time=null", "device=cpu"])
    assert changed == {"device": "cpu", "trainer": {"max_time": None}}


def test_a_resumed_run_refuses_what_would_make_it_another_run() -> None:
    with pytest.raises(UsageError, match=r"'optimizer\.lr' cannot change"):
        _changed({}, ["optimizer.lr=1"])
    assert "trainer.epochs" not in RESUMABLE_KEYS


def test_a_dry_run_writes_nothing_and_says_what_would_happen(capsys: pytest.CaptureFixture[str]) -> None:
    before = torch.get_rng_state()
    assert train(settings(), Invocation(verb="train", dry_run=True)) is None
    assert not runs_root().exists()
    assert "nothing was written" in capsys.readouterr().err
    assert torch.equal(before, torch.get_rng_state())


def test_the_same_seed_gives_the_same_figures_and_another_seed_others() -> None:
    quiet = Invocation(verb="train", quiet=True)
    losses = []
    for seed in (1, 1, 2):
        result = train(settings(f"seed={seed}"), quiet)
        assert result is not None
        losses.append(result.value("test/nll"))
    assert losses[0] == losses[1] != losses[2]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Talk(quiet=True).line("anything")
    assert capsys.readouterr().err == ""
