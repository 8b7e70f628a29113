"""A comparison over label counts: which fits it is made of, and what they have in common."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dlcli.classifier import Classifier
from dlcli.commands.bundle import load_bundle
from dlcli.commands.console import Talk
from dlcli.commands.curve_record import ARMS, Cell
from dlcli.commands.models import load_weights
from dlcli.commands.start import (
    Network,
    Start,
    decoded_for,
    find_start,
    network_for,
    refuse_unreadable,
    sides_for,
    with_whole_path,
)
from dlcli.commands.training import plan_of
from dlcli.config.schema import FinetuneSettings
from dlcli.contracts import DataBundle, Split
from dlcli.data.label_subsets import LabelSubset, label_subset
from dlcli.engine.device import place
from dlcli.errors import UsageError

# Optimizer steps of a fit at least: five epochs over 80 examples would be 15, too few for any network. On val of digits, with 10
# labels per class and the shipped model, 30, 60, 100 and 200 steps bring 82.5, 88.7, 88.8 and 92.0 % from scratch, and 90.1,
# 91.9, 93.5 and 93.0 % by finetuning (means of 5 seeds, each known to about 4 points): from scratch gains a little from more.
MIN_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that the fits have in common.

    Args:
        settings: with the input size that was chosen.
        bundle: on the device; train is what labels are chosen from, val is left alone.
        network: for these data, with the start's weights.
        weights: of the start, those of the head as ``network`` has them.
    """

    settings: FinetuneSettings
    start: Start
    bundle: DataBundle
    network: Network
    weights: Mapping[str, Tensor]
    device: torch.device

    @property
    def counts(self) -> tuple[int, ...]:
        """Labels per class, rising; of an attempt to see that it runs only the fewest."""
        counts = self.settings.label_counts
        assert counts is not None
        return counts[:1] if self.settings.fast_dev_run else counts

    @property
    def seeds(self) -> range:
        """One for each choice of labels."""
        first, many = self.settings.seed, self.settings.compare_seeds
        return range(first, first + (2 if self.settings.fast_dev_run else many))

    @property
    def head(self) -> str:
        """Dotted name of the head inside the classifier."""
        assert self.network.head is not None
        return self.network.head

    @property
    def test(self) -> Split:
        """What all networks are tested on."""
        assert self.bundle.test is not None
        return self.bundle.test

    def cells(self) -> list[Cell]:
        """Returns all fits in the order in which they are done."""
        return [Cell(labels=count, seed=seed, arm=arm) for count in self.counts for seed in self.seeds for arm in ARMS]

    def subset(self, labels: int, seed: int) -> LabelSubset:
        """Returns the labels of one choice, as positions in train."""
        return label_subset(self.bundle.train.targets.cpu(), labels, seed=seed)

    def settings_for(self, seed: int, examples: int) -> FinetuneSettings:
        """Returns the settings of a fit on ``examples``: as given, but of ``MIN_STEPS`` steps or more, and not ended early.

        Patience counts epochs, and an epoch over few examples is a few steps: networks from scratch would be stopped before
        they have learned anything.
        """
        per_epoch = plan_of(self.settings).steps_per_epoch(examples)
        epochs = max(self.settings.trainer.epochs, math.ceil(MIN_STEPS / per_epoch))
        trainer = replace(
            self.settings.trainer, epochs=epochs, patience=None, max_time=None, save_every=None, watch=False, log_every=10**9
        )
        return replace(self.settings, seed=seed, trainer=trainer)

    def fresh(self, seed: int) -> Classifier:
        """Returns the network with the start's weights and a new head."""
        network = network_for(self.start, self.bundle.spec, replace(self.settings, seed=seed), side=self.settings.size)
        own = network.model.state_dict()
        kept = {name: own[name] if name.startswith(f"{self.head}.") else tensor for name, tensor in self.weights.items()}
        load_weights(network.model, kept, source=self.start.name)
        place(network.model, self.device)
        return network.model


def prepared(settings: FinetuneSettings, device: torch.device, talk: Talk, *, asked: Collection[str]) -> Comparison:
    """Returns the comparison that the settings ask for, all of it checked before the first step.

    Images are as large as finetuning would like them (96 pixels where they are small); ``size`` says otherwise.

    Args:
        asked: overrides that somebody typed.

    Raises:
        UsageError: the data have no test part, too few examples of a class, or are what the network was trained on.
    """
    settings = with_whole_path(settings)
    start = find_start(settings, talk)
    settings = decoded_for(start, settings, asked)
    bundle = load_bundle(replace(settings, fast_dev_run=False))
    spec = bundle.spec
    if bundle.test is None:
        raise UsageError(f"{spec.name} has no test data to compare networks on", hint="data with a test part")
    if start.spec is None:
        refuse_unreadable(start, spec)
        settings = replace(settings, size=sides_for(start, spec, settings.size)[0])
    network = network_for(start, spec, settings, side=settings.size)
    if network.head is None:
        reason = f"{start.name} was trained on {spec.name} itself, with all of its labels: a few of them would show nothing"
        raise UsageError(reason, hint="--data with another data set")
    assert settings.label_counts is not None
    _refuse_too_few(bundle, settings.label_counts)
    weights = dict(start.weights(network.model, network.head))
    load_weights(network.model, weights, source=start.name)
    place(network.model, device)
    bundle = replace(bundle, train=bundle.train.to(device), val=None, test=bundle.test.to(device))
    return Comparison(settings=settings, start=start, bundle=bundle, network=network, weights=weights, device=device)


def _refuse_too_few(bundle: DataBundle, counts: tuple[int, ...]) -> None:
    spec = bundle.spec
    there = torch.bincount(bundle.train.targets.cpu(), minlength=len(spec.classes))
    fewest = int(there.min())
    if counts[-1] > fewest:
        rarest = spec.classes[int(there.argmin())]
        possible = [str(count) for count in counts if count <= fewest] or ([str(fewest)] if fewest > 1 else [])
        raise UsageError(
            f"compare: {counts[-1]} labels per class, and {spec.name} has {fewest} training examples of class '{rarest}'",
            hint=f"--compare {','.join(possible)}" if possible else "more examples of it",
        )
