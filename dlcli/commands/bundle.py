"""Reading the data of a fit, cut as the settings say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcli.commands.few_labels import few_labels
from dlcli.config.build import build
from dlcli.config.schema import FinetuneSettings, FitSettings, TrainSettings
from dlcli.contracts import DataBundle, DataSource, Split
from dlcli.data import remarks
from dlcli.data.digest import digest_of
from dlcli.data.folder import ImageFolder
from dlcli.data.memory import stratified_subset
from dlcli.errors import UsageError

FAST_STEPS = 2


def load_bundle(settings: FitSettings) -> DataBundle:
    """Reads the data and cuts it as ``limit_train``, ``overfit`` and ``fast_dev_run`` say."""
    source = build("data", settings.data, workers=settings.workers)
    assert isinstance(source, DataSource)
    bundle = source.load()
    digest = digest_of(bundle)
    if isinstance(settings, TrainSettings) and isinstance(source, ImageFolder):
        bundle = replace(bundle, notes=(*bundle.notes, *remarks.of_few(len(bundle.train), Path(str(source.root)))))
    train, val, test = bundle.train, bundle.val, bundle.test
    count = settings.limit_train
    if count is not None:
        size = max(1, round(count * len(train))) if isinstance(count, float) else count
        if size > len(train):
            raise UsageError(
                f"limit_train={size}: {bundle.spec.name} has {len(train)} training examples", hint=f"limit_train={len(train)}"
            )
        train = train.select(stratified_subset(train.targets, size, seed=settings.seed))
    if isinstance(settings, FinetuneSettings):
        train, val, test = few_labels(settings, train, val, test, name=bundle.spec.name)
    if settings.overfit is not None:
        size = settings.overfit
        if size > len(train):
            raise UsageError(f"overfit={size}: there are {len(train)} training examples", hint=f"--overfit {len(train)}")
        train = val = train.select(stratified_subset(train.targets, size, seed=settings.seed))
    if settings.fast_dev_run:
        few = FAST_STEPS * settings.trainer.batch_size * settings.trainer.accumulate
        train = _some(train, few)
        val, test = (part and _some(part, 256) for part in (val, test))
    return replace(bundle, train=train, val=val, test=test, digest=digest)


def _some(split: Split, count: int) -> Split:
    """A few examples with the class shares of the whole: data may be stored class by class."""
    return split.select(stratified_subset(split.targets.cpu(), min(count, len(split)), seed=0))
