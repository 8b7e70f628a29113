"""Training a head alone, on features that are computed once: every epoch then costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dlcli.augment.identity import Identity
from dlcli.classifier import Classifier
from dlcli.commands.console import Talk
from dlcli.commands.training import Job
from dlcli.contracts import Split
from dlcli.data.memory import MemorySplit
from dlcli.engine.device import memory_errors
from dlcli.engine.features import features_of
from dlcli.errors import UsageError

_BATCH = 250


def on_features(job: Job, head: str, *, talk: Talk, check: Callable[[], None] = lambda: None) -> Job:
    """Returns the same fit on what goes into the head: its parts see features in place of examples, its bundle stays.

    Args:
        head: dotted name of the head inside the job's classifier.
        check: may raise to stop (a signal).

    Raises:
        UsageError: the network has no head that alone makes its logits.
    """
    splits = {"train": job.parts.train, "val": job.parts.val}
    batch = min(_BATCH, job.plan.eval_batch_size)
    total = sum(len(split) for split in splits.values() if split is not None)
    done = 0

    def features(split: Split) -> MemorySplit:
        def tell(count: int) -> None:
            check()
            bar.at(done + count)

        return features_for_head(job.model, head, split, batch_size=batch, tell=tell)

    advice = f"trainer.eval_batch_size={max(1, batch // 4)}, or a smaller --size"
    with talk.progress("features", total) as bar, memory_errors("computing features", advice):
        train = features(job.parts.train)
        done = len(train)
        val = features(job.parts.val) if job.parts.val is not None else None
    return on_given_features(job, head, train, val)


def features_for_head(
    model: Classifier, head: str, split: Split, *, batch_size: int = _BATCH, tell: Callable[[int], None]
) -> MemorySplit:
    """Returns what goes into the head for every example: float32 (N, D), with the targets and index of the split.

    Args:
        tell: called after each batch with the number of examples done; may raise to stop (a signal).

    Raises:
        UsageError: the network has no head that alone makes its logits.
    """
    try:
        found = features_of(model, model.get_submodule(head), split, batch_size=batch_size, tell=tell)
    except ValueError as error:
        reason = f"{type(model.net).__name__} cannot be probed: {error}"
        raise UsageError(reason, hint="strategy=full, or strategy.probe_epochs=0") from error
    return MemorySplit(found.inputs, found.targets, index=found.index)


def on_given_features(job: Job, head: str, train: MemorySplit, val: MemorySplit | None) -> Job:
    """Returns the same fit on features that are there already: float32 (N, D), what goes into the head."""
    layer = job.model.get_submodule(head)
    parts = replace(job.parts, train=train, val=val, augment=Identity(), forward=layer, evaluated=layer, thaw=None, observer=None)
    return replace(job, parts=parts)
