"""Finetuning with few labels: cutting the data so that training, selection and calibration share them honestly."""

from __future__ import annotations

from dlcli.config.schema import FinetuneSettings
from dlcli.contracts import Split
from dlcli.data.memory import stratified_subset
from dlcli.errors import UsageError

VAL_SHARE = 0.2


def few_labels(
    settings: FinetuneSettings, train: Split, val: Split | None, test: Split | None, *, name: str
) -> tuple[Split, Split | None, Split | None]:
    """Returns train, val and test with ``labels`` labelled examples in train and val together, ``limit_test`` in test.

    A fifth of the labels is val's: what an epoch is chosen by, and a temperature fitted on, has been paid for, too. Classes keep
    their shares. Which examples they are depends on ``seed``; those of test on the data alone, so that seeds can be compared.

    Raises:
        UsageError: there are fewer examples, or fewer labels than classes need.
    """
    labels, tested = settings.labels, settings.limit_test
    if labels is not None:
        classes = int((train.targets.bincount() > 0).sum())
        held = 0 if val is None else min(max(classes, round(VAL_SHARE * labels)), len(val))
        if labels < held + classes:
            need = f"each of the {classes} classes needs one to train on" + (" and one to choose by" if val is not None else "")
            raise UsageError(f"labels={labels}: {need}", hint=f"--labels {(2 if val is not None else 1) * classes} or more")
        if labels - held > len(train):
            most = len(train) + held
            raise UsageError(f"labels={labels}: {name} has {most} labelled examples for train and val", hint=f"--labels {most}")
        train = train.select(stratified_subset(train.targets.cpu(), labels - held, seed=settings.seed))
        val = val and val.select(stratified_subset(val.targets.cpu(), held, seed=settings.seed))
    if test is not None and tested is not None and tested < len(test):
        test = test.select(stratified_subset(test.targets.cpu(), tested, seed=0))
    return train, val, test
