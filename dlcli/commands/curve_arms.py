"""The three ways of training that a comparison over label counts sets beside each other, for one choice of labels."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import replace

from torch import nn

from dlcli.classifier import Classifier
from dlcli.commands.best_epoch import fit_and_keep_best
from dlcli.commands.comparison import Comparison
from dlcli.commands.console import Talk
from dlcli.commands.curve_record import ARMS, Cell, Outcome
from dlcli.commands.feature_bank import FeatureBank
from dlcli.commands.from_scratch import scratch_job
from dlcli.commands.probe import on_given_features
from dlcli.commands.signals import StopFlag
from dlcli.commands.strategy import head_job, prepare_finetuning
from dlcli.config.schema import FinetuneSettings
from dlcli.contracts import DataBundle, Split
from dlcli.data.label_subsets import LabelSubset
from dlcli.engine.device import memory_errors
from dlcli.engine.evaluate import evaluate, joined
from dlcli.engine.reports import NonFiniteError
from dlcli.metrics.accuracy import accuracy

# Epochs of the linear probe where the strategy trains no head first.
_PROBE_EPOCHS = 30


def fits(
    comparison: Comparison, labels: int, seed: int, arms: Collection[str], *, bank: FeatureBank | None, flag: StopFlag
) -> Iterator[tuple[Cell, Outcome]]:
    """Trains and tests the ``arms`` on one choice of labels, one after the other; yields what each came to.

    Each depends on the settings, ``labels`` and ``seed`` alone. The head of the linear probe is where finetuning starts from,
    if its strategy trains the head first: what it gains over the probe, training the other layers has gained.

    Args:
        bank: not needed by ``from_scratch``.

    Raises:
        NonFiniteError: a fit's numbers are not finite; a note says which one's.
    """
    subset = comparison.subset(labels, seed)
    whole = comparison.bundle
    bundle = replace(whole, train=whole.train.select(subset.train), val=whole.train.select(subset.val))
    settings = comparison.settings_for(seed, len(subset.train))
    head_first = settings.strategy.probe_epochs > 0
    needed = {*arms, *(["linear_probe"] if head_first and "finetuned" in arms else [])}
    model, head_seconds = comparison.fresh(seed), 0.0
    for arm in (arm for arm in ARMS if arm in needed):
        started = time.perf_counter()
        cell = Cell(labels=labels, seed=seed, arm=arm)
        advice = f"trainer.batch_size={max(1, settings.trainer.batch_size // 4)}, or a smaller --size"
        try:
            with memory_errors(f"{ARMS[arm]} with batches of {settings.trainer.batch_size}", advice):
                if arm == "linear_probe":
                    assert bank is not None
                    _train_head(comparison, settings, model, bundle, subset=subset, bank=bank, flag=flag)
                    share = _tested(comparison, model.get_submodule(comparison.head), bank.test, flag=flag)
                else:
                    start = model if arm == "finetuned" and head_first else comparison.fresh(seed)
                    share = _train_network(comparison, settings, start, bundle, arm=arm, flag=flag)
        except NonFiniteError as error:
            error.add_note(f"in the fit '{ARMS[arm]}' with {labels} labels per class and seed {seed}")
            raise
        seconds = time.perf_counter() - started
        if arm == "linear_probe":
            head_seconds = seconds
        elif arm == "finetuned" and head_first:
            seconds += head_seconds
        if arm in arms:
            yield cell, Outcome(accuracy=share, seconds=seconds)


def _train_head(
    comparison: Comparison,
    settings: FinetuneSettings,
    model: Classifier,
    bundle: DataBundle,
    *,
    subset: LabelSubset,
    bank: FeatureBank,
    flag: StopFlag,
) -> None:
    epochs = max(settings.strategy.probe_epochs or _PROBE_EPOCHS, settings.trainer.epochs)
    job = head_job(
        settings,
        model,
        bundle,
        node=comparison.network.node,
        head=comparison.head,
        epochs=1 if settings.fast_dev_run else epochs,
        device=comparison.device,
    )
    fit_and_keep_best(on_given_features(job, comparison.head, bank.at(subset.train), bank.at(subset.val)), flag)


def _train_network(
    comparison: Comparison, settings: FinetuneSettings, start: Classifier, bundle: DataBundle, *, arm: str, flag: StopFlag
) -> float:
    """Finetunes ``start``, or trains its network from random weights on the same data; returns the accuracy on test."""
    own = replace(settings, strategy=replace(settings.strategy, probe_epochs=0))
    node, quiet = comparison.network.node, Talk(quiet=True)
    job = prepare_finetuning(own, start, bundle, node=node, device=comparison.device, talk=quiet)
    if arm == "from_scratch":
        job = scratch_job(own, job, quiet)
    fit_and_keep_best(job, flag)
    return _tested(comparison, job.model, comparison.test, flag=flag)


def _tested(comparison: Comparison, model: nn.Module, split: Split, *, flag: StopFlag) -> float:
    size = comparison.settings.trainer.eval_batch_size
    return accuracy(joined(evaluate(model, split, batch_size=size, check=flag.check))).value
