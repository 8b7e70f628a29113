"""Did pretraining help? The same network from random weights, on the same labels for as many epochs, beside the finetuned one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from dlcli.classifier import Classifier, predicted_classes
from dlcli.commands.best_epoch import fit_and_keep_best
from dlcli.commands.console import Talk
from dlcli.commands.models import assemble
from dlcli.commands.session import plain_number
from dlcli.commands.signals import StopFlag
from dlcli.commands.training import Job, prepare
from dlcli.config.schema import FinetuneSettings, FitSettings
from dlcli.contracts import DataBundle, Metric, Predictions
from dlcli.engine.evaluate import evaluate, joined
from dlcli.metrics.accuracy import accuracy
from dlcli.metrics.paired import paired_difference
from dlcli.randomness import borrowed_rng, seed_step
from dlcli.report.terminal import interval

# EfficientNet's and MobileNet's 0.01 needs thousands of steps until the running statistics are right: with few steps the network
# would look far worse than it is.
_MOMENTUM = 0.1
# Test examples below which no verdict is given: the interval of a paired difference is an approximation that needs some.
_FEWEST = 30


@dataclass(frozen=True)
class Verdict:
    """What the comparison came to: figures by the names of ``result.json``, and one sentence."""

    metrics: Mapping[str, Metric]
    words: str


def scratch_job(settings: FinetuneSettings, job: Job, talk: Talk) -> Job:
    """Returns the fit of the same network from random weights: same data, size and epochs, all layers at the head's rate."""
    with borrowed_rng():
        seed_step(settings.seed, "weights", 0)
        model = assemble(job.node, job.bundle.spec, job.model.preprocessing)
    trainer = replace(settings.trainer, watch=False, max_time=None, save_every=None)
    own = replace(settings, trainer=trainer)
    return prepare_from_scratch(own, model, job.bundle, node=job.node, device=job.parts.device, talk=Talk(quiet=True))


def prepare_from_scratch(
    settings: FitSettings,
    model: Classifier,
    bundle: DataBundle,
    *,
    node: Mapping[str, Any],
    device: torch.device,
    talk: Talk,
) -> Job:
    """Returns a fit of random weights by finetuning's settings: all layers from the first step on, at one rate.

    Raises:
        ConfigError, UsageError: settings that do not go together, or not with these data.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.momentum is not None:
            module.momentum = max(module.momentum, _MOMENTUM)
    return prepare(settings, model, bundle, node=node, device=device, talk=talk)


def against_from_scratch(
    settings: FinetuneSettings, job: Job, pretrained: Predictions, *, talk: Talk, flag: StopFlag
) -> Verdict | None:
    """Trains the network from scratch and compares it on the test examples; None where there are none.

    Args:
        pretrained: what the finetuned network says of the test examples.
    """
    if job.bundle.test is None:
        return None
    talk.line("from scratch: the same network, labels and epochs, random weights")
    scratch = scratch_job(settings, job, talk)
    with talk.progress("steps", scratch.total_steps) as bar:
        fit_and_keep_best(scratch, flag, tell=bar.at)
    own = joined(evaluate(scratch.model, job.bundle.test, batch_size=job.plan.eval_batch_size, check=flag.check))
    right = [predicted_classes(each.logits) == each.targets for each in (own, pretrained)]
    gain = paired_difference(*right)
    metrics = {"test/from_scratch/accuracy": accuracy(own), "finetune/gain": gain}
    labels = sum(len(part) for part in (job.bundle.train, job.bundle.val if job.held_out else None) if part is not None)
    both = f"pretrained {interval(accuracy(pretrained))} against from scratch {interval(accuracy(own))}"
    spent = f"{plain_number(labels)} labels, {_budget(job, scratch)}, one seed"
    return Verdict(metrics, f"{both} with {spent}: {_said(gain)}; --compare measures more label counts and seeds")


def _budget(job: Job, scratch: Job) -> str:
    """The epochs of both fits: another budget may turn the answer round."""
    most = "" if scratch.plan.patience is None else "at most "
    if job.plan.epochs == scratch.plan.epochs:
        return f"{most}{job.plan.epochs} epoch{'s' if job.plan.epochs > 1 else ''} each"
    return f"{job.plan.epochs} epochs of the head alone against {most}{scratch.plan.epochs} of all layers"


def _said(gain: Metric) -> str:
    """The difference in words, no surer than its interval."""
    assert gain.low is not None and gain.high is not None and gain.n is not None
    if gain.n < _FEWEST:
        return f"no verdict, {gain.n} test examples are too few (at least {_FEWEST} are needed)"
    points = f"{abs(100 * gain.value):.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    if gain.low > 0:
        return f"pretraining helped by {points}"
    if gain.high < 0:
        return f"pretraining cost {-100 * gain.value:.1f} points [{-100 * gain.high:.1f}, {-100 * gain.low:.1f}]"
    return (
        f"no difference that {plain_number(gain.n)} test examples could show ({100 * gain.value:+.1f} {points.partition(' ')[2]})"
    )
