"""``--without-groups``: the same model trained without the columns of the groups. Leaving them out is no cure, and this shows it.

Other columns tell much of what was left out: who is young has fewer working years. Differences may shrink, stay or grow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dlcli.classifier import Preprocessing
from dlcli.commands.baselines import select
from dlcli.commands.best_epoch import fit_and_keep_best
from dlcli.commands.bundle import load_bundle
from dlcli.commands.console import Talk
from dlcli.commands.models import assemble
from dlcli.commands.signals import StopFlag
from dlcli.commands.subject import Subject
from dlcli.commands.training import prepare
from dlcli.config.schema import EvaluateSettings, TrainSettings, checked_settings
from dlcli.config.stored import read_stored
from dlcli.contracts import Metric, Predictions, Split
from dlcli.engine.evaluate import evaluate, joined
from dlcli.errors import ConfigError, DataError, UsageError
from dlcli.metrics.calibrated import Calibration, fitted_calibration
from dlcli.metrics.summary import classification_metrics
from dlcli.randomness import borrowed_rng, seed_step
from dlcli.runs.find import RunInfo, find_model
from dlcli.runs.run import read_config


@dataclass(frozen=True)
class SecondModel:
    """What the model without the columns says of the same examples.

    Args:
        dropped: the columns that it does not read.
        metrics: ``SPLIT/without_groups/NAME`` for the figures by which models are compared.
    """

    dropped: tuple[str, ...]
    predictions: Predictions
    calibration: Calibration | None
    metrics: Mapping[str, Metric]


def settings_without(columns: Sequence[str], settings: EvaluateSettings, subject: Subject) -> TrainSettings:
    """Returns the settings of the model's own training with ``columns`` left out of its data.

    Raises:
        UsageError: it was not trained by ``dl train`` on a table whose columns can be left out, it read none of the columns, or
            there are no examples that both models have not learned from.
    """
    loaded = subject.loaded
    if settings.data is not None:
        raise UsageError("--without-groups compares two models on their own data; --data has no place", hint="leave out --data")
    if settings.split == "train":
        reason = "--without-groups compares two models on examples that neither has seen; --split train has no place"
        raise UsageError(reason, hint="a model with test data, as dl train attrition data.test_share=0.5 makes one")
    run = find_model(loaded.reference)
    if not isinstance(run, RunInfo) or run.verb != "train" or "drop" not in loaded.data:
        what = f"{loaded.reference} is none that dl train made of a table with data.drop"
        raise UsageError(
            f"--without-groups trains a table's model again; {what}",
            hint="dl train attrition, then dl evaluate --groups Gender --without-groups",
        )
    try:
        trained = checked_settings("train", read_stored(read_config(run.path), source=f"{run.path}/config.yaml"))
    except ConfigError as error:
        raise DataError(f"{run.path}: {error.message}", hint=error.hint) from error
    assert isinstance(trained, TrainSettings)
    if trained.start_from is not None:
        reason = f"--without-groups trains from scratch; {loaded.reference} started from {trained.start_from}"
        raise UsageError(reason, hint="train it without --from")
    read = {column.name for column in loaded.model.spec.columns}
    if not read & set(columns):
        raise UsageError(
            f"--without-groups: the model reads none of {', '.join(columns) or 'these columns'}, so nothing can be left out",
            hint="--groups alone",
        )
    # What a user reads as a number or as a category cannot be dropped as well.
    data = {**trained.data, "drop": [*trained.data["drop"], *(name for name in columns if name not in trained.data["drop"])]}
    for key in ("numbers", "categories"):
        if key in data:
            data[key] = [name for name in data[key] if name not in columns]
    return replace(trained, data=data, device=settings.device)


def second_model(
    trained: TrainSettings, settings: EvaluateSettings, subject: Subject, *, flag: StopFlag, talk: Talk
) -> SecondModel:
    """Trains the second model, in memory, and returns what it says of the examples."""
    bundle = load_bundle(trained)
    with borrowed_rng():
        seed_step(trained.seed, "weights", 0)
        model = assemble(trained.model, bundle.spec, Preprocessing.of(bundle.spec))
    unwatched = replace(trained, trainer=replace(trained.trainer, watch=False))
    job = prepare(unwatched, model, bundle, node=trained.model, device=subject.device, talk=talk)
    job = replace(job, plan=replace(job.plan, max_time=None, save_every=None))
    own = {column.name for column in subject.loaded.model.spec.columns}
    dropped = tuple(sorted(own - {column.name for column in bundle.spec.columns}))
    talk.line(f"training the same model without {', '.join(dropped)}: {job.plan.epochs} epochs")
    fit_and_keep_best(job, flag)

    def predict(split: Split) -> Predictions:
        return joined(evaluate(job.model, split, batch_size=settings.batch_size, check=flag.check))

    split: Split | None = getattr(job.bundle, settings.split)
    assert split is not None
    predictions = predict(split)
    if len(predictions.targets) > len(subject.split):
        rows = slice(len(subject.split))
        predictions = Predictions(predictions.logits[rows], predictions.targets[rows], predictions.index[rows])
    if not predictions.targets.equal(subject.split.targets.cpu()):
        raise DataError("the second model's examples are not those of the first: the data have changed since it was trained")
    calibration = None if job.bundle.val is None or not job.held_out else fitted_calibration(predict(job.bundle.val))
    metrics = select(classification_metrics(predictions, bundle.spec.classes, split=f"{settings.split}/without_groups"))
    return SecondModel(dropped, predictions, calibration, metrics)
