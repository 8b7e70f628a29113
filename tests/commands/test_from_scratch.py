"""Whether pretraining helped: the verdict is no surer than its interval."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from dlcli.commands.bundle import load_bundle
from dlcli.commands.console import Talk
from dlcli.commands.from_scratch import against_from_scratch, scratch_job
from dlcli.commands.signals import StopFlag
from dlcli.commands.start import find_start, network_for
from dlcli.commands.strategy import prepare_finetuning
from dlcli.commands.training import Job
from dlcli.config.compose import compose
from dlcli.config.schema import FinetuneSettings, checked_settings
from dlcli.contracts import Predictions

CPU = torch.device("cpu")
TALK = Talk(quiet=True)


@pytest.fixture(scope="module")
def settings() -> FinetuneSettings:
    few = ["run=builtin:mnist", "labels=100", "limit_test=100", "trainer.epochs=1"]
    found = checked_settings("finetune", compose("finetune", few))
    assert isinstance(found, FinetuneSettings)
    return found


@pytest.fixture
def job(settings: FinetuneSettings) -> Job:
    bundle = load_bundle(settings)
    network = network_for(find_start(settings, TALK), bundle.spec, settings)
    return prepare_finetuning(settings, network.model, bundle, node=network.node, device=CPU, talk=TALK)


def answers(job: Job, share: float) -> Predictions:
    """A classifier that has the first ``share`` of the test examples right."""
    assert job.bundle.test is not None
    targets = job.bundle.test.targets
    named = torch.where(torch.arange(len(targets)) < share * len(targets), targets, (targets + 1) % 10)
    return Predictions(nn.functional.one_hot(named, 10).float(), targets, job.bundle.test.index)


def test_it_is_the_same_network_on_the_same_data_for_as_many_epochs(settings: FinetuneSettings, job: Job) -> None:
    scratch = scratch_job(settings, job, TALK)
    assert scratch.node == job.node
    assert scratch.model.preprocessing == job.model.preprocessing
    assert scratch.bundle.train.index.tolist() == job.bundle.train.index.tolist()
    assert scratch.plan.epochs == job.plan.epochs
    assert all(parameter.requires_grad for parameter in scratch.model.parameters())


def test_it_knows_nothing_of_the_pretrained_weights(settings: FinetuneSettings, job: Job) -> None:
    scratch = scratch_job(settings, job, TALK).model.state_dict()
    for name, parameter in job.model.named_parameters():
        if parameter.ndim > 1:
            assert not torch.equal(scratch[name], parameter), name


def test_its_batch_norms_follow_a_short_training(settings: FinetuneSettings, job: Job) -> None:
    momenta = {m.momentum for m in scratch_job(settings, job, TALK).model.modules() if isinstance(m, nn.BatchNorm2d)}
    assert momenta
    assert min(momenta) >= 0.1


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "pretraining helped by "), (0.0, "pretraining cost "), (None, "no difference that 100 test examples")],
)
def test_the_verdict_is_no_surer_than_its_interval(settings: FinetuneSettings, job: Job, share: float | None, said: str) -> None:
    first = against_from_scratch(settings, job, answers(job, 0.5), talk=TALK, flag=StopFlag())
    assert first is not None
    scratch = first.metrics["test/from_scratch/accuracy"].value
    verdict = against_from_scratch(settings, job, answers(job, scratch if share is None else share), talk=TALK, flag=StopFlag())
    assert verdict is not None
    assert said in verdict.words
    assert " with 100 labels, at most 1 epoch each, one seed: " in verdict.words
    assert verdict.words.endswith("; --compare measures more label counts and seeds")
    expected = (scratch if share is None else share) - scratch
    assert verdict.metrics["finetune/gain"].value == pytest.approx(expected, abs=0.011)


@pytest.mark.parametrize(("tested", "declined"), [(29, True), (30, False)])
def test_few_test_examples_bear_no_verdict(settings: FinetuneSettings, job: Job, tested: int, declined: bool) -> None:
    assert job.bundle.test is not None
    few = replace(job, bundle=replace(job.bundle, test=job.bundle.test.select(torch.arange(tested))))
    verdict = against_from_scratch(settings, few, answers(few, 1.0), talk=TALK, flag=StopFlag())
    assert verdict is not None
    assert ("no verdict, 29 test examples are too few" in verdict.words) is declined
    assert ("pretraining helped by" in verdict.words) is not declined


def test_epochs_of_a_head_alone_are_not_called_those_of_all_layers(settings: FinetuneSettings, job: Job) -> None:
    probe = replace(job, plan=replace(job.plan, epochs=30))
    verdict = against_from_scratch(settings, probe, answers(job, 1.0), talk=TALK, flag=StopFlag())
    assert verdict is not None
    assert "30 epochs of the head alone against at most 1 of all layers, one seed" in verdict.words


def test_the_baseline_is_repeated_by_the_seed(settings: FinetuneSettings, job: Job) -> None:
    found = [against_from_scratch(settings, job, answers(job, 0.5), talk=TALK, flag=StopFlag()) for _ in range(2)]
    assert found[0] is not None
    assert found[0] == found[1]
