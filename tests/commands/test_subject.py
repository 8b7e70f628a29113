import dataclasses

import pytest
import torch

from dlcli.commands.console import Talk
from dlcli.commands.subject import load_subject
from dlcli.config.compose import compose
from dlcli.config.schema import checked_settings
from dlcli.data.digits import Digits

QUIET = Talk(quiet=True)


@pytest.fixture
def settings(runs):
    return checked_settings("evaluate", compose("evaluate", ["run=digits", "device=cpu"]))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_split_is_that_of_the_models_own_data(split, settings):
    subject = load_subject(dataclasses.replace(settings, split=split), QUIET)
    own = getattr(Digits().load(), split)
    assert torch.equal(subject.split.targets, own.targets)
    batch, expected = (next(iter(part.batches(torch.arange(3), 3))) for part in (subject.split, own))
    assert torch.equal(batch.inputs, expected.inputs)


def test_a_limit_takes_the_first_examples_and_a_large_one_all(settings):
    first = load_subject(dataclasses.replace(settings, limit=7), QUIET)
    assert torch.equal(first.split.targets, Digits().load().test.targets[:7])
    assert len(load_subject(dataclasses.replace(settings, limit=10**6), QUIET).split) == 270


def test_the_numbers_are_said(settings, capsys):
    load_subject(dataclasses.replace(settings, limit=7), Talk())
    assert "digits test: 7 of 270 examples" in capsys.readouterr().err


def test_a_model_that_was_trained_on_another_cut_is_tested_on_that_cut(dl, tmp_path):
    assert dl("train", "digits", "data.split_seed=5", "--epochs", "1", "--quiet").code == 0
    settings = checked_settings("evaluate", compose("evaluate", ["device=cpu"]))
    assert torch.equal(load_subject(settings, QUIET).split.targets, Digits(split_seed=5).load().test.targets)
