"""``--cv``: folds inside one run. Each fold's model never sees its fold; the last model is then trained on all rows.

Encoders and scalers are fitted again in every fold, on the rows that its model trains on. Where ``trainer.monitor`` selects
an epoch, a seventh of those rows is kept apart for it, so that no fold chooses the model by which it is estimated.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dlcli.classifier import Preprocessing, probabilities
from dlcli.commands.baselines import BASELINES, baseline_predictions, select
from dlcli.commands.best_epoch import fit_and_keep_best
from dlcli.commands.console import Talk
from dlcli.commands.models import assemble
from dlcli.commands.signals import StopFlag
from dlcli.commands.training import Job, prepare
from dlcli.config.build import build, resolve
from dlcli.config.schema import TrainSettings
from dlcli.contracts import DataBundle, Metric, Predictions
from dlcli.data.folds import stratified_folds
from dlcli.data.memory import stratified_holdout
from dlcli.data.raw_table import RawTable, TableSource
from dlcli.data.table import bundle_of
from dlcli.engine.evaluate import evaluate, joined
from dlcli.errors import DataError, UsageError
from dlcli.metrics.calibrated import fitted_calibration
from dlcli.metrics.summary import classification_metrics
from dlcli.randomness import borrowed_rng, seed_step
from dlcli.runs.run import Run

FILE = "cv.json"
_SELECTION_SHARE = 1 / 7
_RANKINGS = ("auroc", "average_precision")


@dataclass(frozen=True)
class CrossValidation:
    """What the folds came to.

    Args:
        metrics: ``cv/…``, pooled over the folds; with repeats those of each row's mean probability, so of a mean of models.
        epochs: for the model on all rows: the median of the epochs that the folds chose.
        calibration: temperature and thresholds, fitted to every fold's own predictions.
        metrics_size: length of ``metrics.jsonl`` after the folds, in bytes.
    """

    metrics: Mapping[str, Metric]
    epochs: int
    calibration: Mapping[str, float]
    metrics_size: int = 0

    def to_json(self) -> bytes:
        """Returns the content of ``cv.json``."""
        metrics = {name: metric.to_dict() for name, metric in self.metrics.items()}
        content = {
            "schema": 1,
            "epochs": self.epochs,
            "metrics_size": self.metrics_size,
            "calibration": dict(self.calibration),
            "metrics": metrics,
        }
        return json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, *, source: str) -> CrossValidation:
        """Returns what :meth:`to_json` wrote. Raises DataError."""
        try:
            content = json.loads(data)
            metrics = {
                name: Metric(**{**entry, "value": float("nan") if entry["value"] is None else entry["value"]})
                for name, entry in content["metrics"].items()
            }
            calibration = {name: float(value) for name, value in content["calibration"].items()}
            return cls(metrics, int(content["epochs"]), calibration, int(content["metrics_size"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{source} is damaged: {error}", hint="dl train again") from error


@dataclass
class _Pool:
    """Out-of-fold predictions: sums of probabilities (N, P), float64, by model."""

    sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, name: str, rows: Tensor, predictions: Predictions, *, size: int) -> None:
        chances = probabilities(predictions.logits.double())
        self.sums.setdefault(name, torch.zeros(size, chances.shape[1], dtype=torch.float64))[rows] += chances

    def predictions(self, name: str, targets: Tensor, *, repeats: int) -> Predictions:
        """Each row's mean probability over the repeats, as logits."""
        logits = (self.sums[name] / repeats).clamp_min(1e-30).log()
        return Predictions(logits, targets, torch.arange(len(targets)))


def cross_validate(settings: TrainSettings, run: Run, *, device: torch.device, talk: Talk, flag: StopFlag) -> CrossValidation:
    """Trains and tests a model per fold; writes ``cv.json`` and ``cv.csv`` into the run, and returns the figures.

    ``trainer.max_time`` counts from the model on all rows on; folds always run to their end.

    Raises:
        UsageError: there are more folds than examples of a class.
    """
    assert settings.folds is not None
    folds, repeats = settings.folds
    raw = _raw(settings)
    _warn_of_copies(raw, talk)
    pool, epochs, singles, started = _Pool(), [], [], time.perf_counter()
    with talk.progress("folds", folds * repeats) as bar:
        for number, (rest, held) in enumerate(_splits(raw.targets, folds, repeats, seed=_split_seed(settings))):
            job = _fold_job(settings, raw, rest, held, device=device, talk=talk)
            epochs.append(fit_and_keep_best(job, flag))
            assert job.bundle.test is not None
            own = joined(evaluate(job.model, job.bundle.test, batch_size=job.plan.eval_batch_size, check=flag.check))
            pool.add("", held, own, size=len(raw))
            singles.append(own)
            for name in BASELINES:
                pool.add(name, held, baseline_predictions(name, job.bundle), size=len(raw))
            _log(run, number, number // folds, own, job.bundle)
            bar.at(number + 1)
    metrics = classification_metrics(pool.predictions("", raw.targets, repeats=repeats), raw.classes, split="cv")
    for name in BASELINES:
        own = pool.predictions(name, raw.targets, repeats=repeats)
        found = select(classification_metrics(own, raw.classes, split=f"cv/{name}"))
        # Class shares rank no row before another; between folds they differ a little, which would look like a ranking.
        metrics |= {key: metric for key, metric in found.items() if name != "majority" or not key.endswith(_RANKINGS)}
    # Fitted to single models, as the one on all rows will be; a mean of several is surer of itself, or less so.
    calibration = fitted_calibration(joined(iter(singles))).to_dict()
    result = CrossValidation(metrics, round(statistics.median(epochs)), calibration, run.metrics_size())
    run.write("cv.csv", _rows(pool.predictions("", raw.targets, repeats=repeats), raw.classes))
    run.write(FILE, result.to_json())
    talk.line(f"{folds * repeats} folds in {time.perf_counter() - started:.1f} s · now one model on all {len(raw)} rows")
    return result


def resumed_folds(settings: TrainSettings, run: Run, *, device: torch.device, talk: Talk, flag: StopFlag) -> CrossValidation:
    """Returns what the folds of a run came to; they start again where the run ended among them."""
    path = run.path / FILE
    if path.is_file():
        return CrossValidation.from_json(path.read_bytes(), source=str(path))
    run.rewind_metrics(0)
    return cross_validate(settings, run, device=device, talk=talk, flag=flag)


def on_all_rows(settings: TrainSettings) -> TrainSettings:
    """Returns settings whose data are all train: the last model has seen every row, so no later verb may test it on one.

    Raises:
        UsageError: the data are no table, or come with a test part of their own.
    """
    assert settings.folds is not None
    shares = {"val_share": 0.0, "test_share": 0.0}
    if not set(shares) <= set(settings.data) or not issubclass(resolve("data", settings.data["_target_"]), TableSource):
        raise UsageError(f"cv={settings.cv} needs a table that dl splits itself", hint="dl train attrition --cv 5")
    folds, counts = settings.folds[0], _raw(settings).targets.bincount()
    fewest = int(counts[counts > 0].min())
    if fewest < folds:
        few = f"the smallest class has {fewest} examples, too few for {folds} folds"
        raise UsageError(f"cv={settings.cv}: {few}", hint=f"--cv {fewest}" if fewest > 1 else "more examples of it")
    return replace(settings, data={**settings.data, **shares})


def after_folds(settings: TrainSettings) -> TrainSettings:
    """Returns the settings of the model that is trained on all rows: there is nothing to select by."""
    return replace(settings, trainer=replace(settings.trainer, monitor="last", patience=None))


def as_the_folds_chose(job: Job, found: CrossValidation) -> Job:
    """Returns the fit on all rows: it ends after the folds' epochs, at the learning rate that they had there, and keeps what
    they fitted."""
    return replace(job, plan=replace(job.plan, epochs=found.epochs), calibration=found.calibration)


def _raw(settings: TrainSettings) -> RawTable:
    source = build("data", settings.data, workers=settings.workers)
    if not isinstance(source, TableSource):
        raise UsageError(f"cv={settings.cv} needs a table that dl splits itself", hint="dl train attrition --cv 5")
    return source.raw()


def _warn_of_copies(raw: RawTable, talk: Talk) -> None:
    """Says how many rows have a twin, which may lie in train where the row itself is tested."""
    train = bundle_of(raw, torch.arange(len(raw)), None, None, name="all rows").train
    batch = next(iter(train.batches(torch.arange(len(raw)), len(raw))))
    rows = torch.cat([batch.inputs.nan_to_num(-1e30), batch.targets[:, None].float()], dim=1)
    counts = torch.unique(rows, dim=0, return_counts=True)[1]
    twins = int(counts[counts > 1].sum())
    if twins:
        talk.line(f"data: {twins} of {len(raw)} rows have a copy, all cells alike: folds may train on one and test on the other")


def _splits(targets: Tensor, folds: int, repeats: int, *, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    for repeat in range(repeats):
        numbers = stratified_folds(targets, folds, seed=seed, repeat=repeat)
        for fold in range(folds):
            yield (numbers != fold).nonzero().flatten(), (numbers == fold).nonzero().flatten()


def _split_seed(settings: TrainSettings) -> int:
    return int(settings.data.get("split_seed", 0))


def _fold_job(settings: TrainSettings, raw: RawTable, rest: Tensor, held: Tensor, *, device: torch.device, talk: Talk) -> Job:
    """A fit on the rows ``rest`` with ``held`` as its test data; some of the rest are val where an epoch is selected."""
    train, val = rest, None
    if settings.trainer.monitor != "last":
        size = max(1, round(_SELECTION_SHARE * len(rest)))
        inner = stratified_holdout(raw.targets[rest], size, seed=_split_seed(settings))
        train, val = rest[inner.rest], rest[inner.held]
    bundle = bundle_of(raw, train, val, held, name="fold")
    with borrowed_rng():
        seed_step(settings.seed, "weights", 0)
        model = assemble(settings.model, bundle.spec, Preprocessing.of(bundle.spec))
    unwatched = replace(settings, trainer=replace(settings.trainer, watch=False))
    job = prepare(unwatched, model, bundle, node=settings.model, device=device, talk=talk)
    # A fold that ended early would be another model than the one it stands for.
    return replace(job, plan=replace(job.plan, max_time=None, save_every=None))


def _log(run: Run, fold: int, repeat: int, predictions: Predictions, bundle: DataBundle) -> None:
    """One line per figure of the fold: what the spread over folds is made of."""
    metrics = select(classification_metrics(predictions, bundle.spec.classes, split="cv"))
    for name, metric in metrics.items():
        value = metric.to_dict()["value"]
        line = {"step": fold, "epoch": repeat, "split": "cv", "name": "fold_" + name.removeprefix("cv/"), "value": value}
        run.log({**line, "time": round(time.time(), 3)})


def _rows(predictions: Predictions, classes: tuple[str, ...]) -> bytes:
    """``cv.csv``: each row's number in the file from 0, its class, and its out-of-fold probabilities."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "target", *(f"p({name})" for name in classes)])
    for row, (target, chances) in enumerate(zip(predictions.targets.tolist(), predictions.logits.exp().tolist(), strict=True)):
        writer.writerow([row, classes[target], *(f"{chance:.6g}" for chance in chances)])
    return text.getvalue().encode()
