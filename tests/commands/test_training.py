"""A fit in a run folder: what is cut from the data, what is saved, and how it ends."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from dlcli.checkpoint import Checkpoint, pack, unpack
from dlcli.classifier import Preprocessing
from dlcli.commands.bundle import load_bundle
from dlcli.commands.console import Talk
from dlcli.commands.models import assemble
from dlcli.commands.signals import StopFlag
from dlcli.commands.training import Job, metrics_size, prepare, restore, run_fit, snapshot
from dlcli.config.compose import compose
from dlcli.config.schema import FitSettings, TrainSettings, checked_settings
from dlcli.engine.reports import NonFiniteError
from dlcli.engine.state import Progress
from dlcli.errors import ComputeError, DataError, DlcliError, Interrupted, UsageError
from dlcli.runs.run import Run, checkpoint_names, read_checkpoint

CPU = torch.device("cpu")
TINY = (
    "data=digits",
    "model=mlp",
    "optimizer=sgd",
    "optimizer.lr=0.05",
    "trainer.batch_size=32",
    "trainer.epochs=2",
    "limit_train=96",
)
TALK = Talk(quiet=True)


def settings(*overrides: str) -> TrainSettings:
    found = checked_settings("train", compose("train", [*TINY, *overrides]))
    assert isinstance(found, TrainSettings)
    return found


def job(*overrides: str) -> Job:
    own = settings(*overrides)
    bundle = load_bundle(own)
    torch.manual_seed(0)
    model = assemble(own.model, bundle.spec, Preprocessing.of(bundle.spec))
    return prepare(own, model, bundle, node=own.model, device=CPU, talk=TALK)


@contextmanager
def new_run() -> Iterator[Run]:
    run = Run.create(verb="train", name="toy", config=b"", information={"parent": None})
    try:
        yield run
    finally:
        run.fail(KeyboardInterrupt())


def fitted(run: Run, own: Job, progress: Progress | None = None, flag: StopFlag | None = None) -> float:
    return run_fit(run, own, progress or Progress(), talk=TALK, flag=flag or StopFlag())


def read(run: Run, name: str) -> Checkpoint:
    return unpack(read_checkpoint(run.path, name), source=name)


def test_a_fast_attempt_takes_two_steps() -> None:
    own = job("fast_dev_run=true", "trainer.accumulate=2", "limit_train=null")
    assert own.total_steps == 2


def test_fp16_on_a_cpu_is_refused_before_anything_is_built() -> None:
    with pytest.raises(UsageError, match="needs a CUDA device"):
        job("trainer.precision=fp16")


# The loop


def test_a_fit_leaves_metrics_and_a_checkpoint_at_its_last_step() -> None:
    with new_run() as run:
        fitted(run, job("trainer.log_every=1"))
        assert checkpoint_names(run.path) == ["step-00000003", "step-00000006"]
        lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert all(line.keys() == {"step", "epoch", "split", "name", "value", "time"} for line in lines)
    assert [line["step"] for line in lines if line["name"] == "loss" and line["split"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert {(line["split"], line["name"]) for line in lines} == {
        ("train", "loss"), ("train", "lr"), ("train", "epoch_loss"), ("train", "accuracy"), ("val", "loss"), ("val", "accuracy"),
    }  # fmt: skip


def test_overfitting_drives_the_loss_to_zero() -> None:
    with new_run() as run:
        fitted(run, job("overfit=10", "trainer.epochs=100", "augment=none", "loss=cross_entropy", "model.dropout=0"))
        lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["value"] for line in lines if line["name"] == "epoch_loss"][-1] < 0.05


def test_a_signal_saves_and_says_how_to_go_on() -> None:
    flag = StopFlag()
    flag.number = 15
    with new_run() as run:
        with pytest.raises(Interrupted, match="saved at step 0 of 6") as caught:
            fitted(run, job(), flag=flag)
        assert (caught.value.code, caught.value.hint) == (143, f"dl train --resume {run.id}")
        assert checkpoint_names(run.path) == ["step-00000000"]


def test_the_end_of_the_time_saves_and_says_how_to_go_on() -> None:
    with new_run() as run:
        with pytest.raises(DlcliError, match=r"stopped by trainer\.max_time=1e-09 s; saved at step 0 of 6") as caught:
            fitted(run, job("trainer.max_time=1e-9"))
        assert (caught.value.code, caught.value.hint) == (1, f"dl train --resume {run.id} trainer.max_time=null")


def test_an_index_that_is_behind_is_made_up_for_when_the_run_goes_on() -> None:
    with new_run() as run:
        fitted(run, job())
        index = run.checkpoint_folder / "index.json"
        right = index.read_bytes()
        index.write_text('{"best": "step-00000003", "last": "step-00000003"}')  # killed between checkpoint and index
        own = job()
        progress = restore(own, read(run, "step-00000006"), source="here")
        fitted(run, own, progress)
        assert index.read_bytes() == right


def test_bad_numbers_are_written_down_and_the_last_checkpoint_is_finite() -> None:
    with new_run() as run:
        with pytest.raises(NonFiniteError):
            fitted(run, job("optimizer.lr=1e30", "trainer.save_every=1", "trainer.epochs=5"))
        dump = json.loads((run.path / "nonfinite.json").read_text())
        for name in checkpoint_names(run.path):
            assert all(value.isfinite().all() for value in read(run, name).model.values())
    assert dump["step"] >= 1


def test_a_nan_in_the_data_is_dumped_with_step_layers_and_examples() -> None:
    own = job()
    own.parts.train.inputs[5] = math.nan  # type: ignore[attr-defined]
    with new_run() as run:
        with pytest.raises(NonFiniteError):
            fitted(run, own)
        dump = json.loads((run.path / "nonfinite.json").read_text())
    assert dump["loss"] == "nan"
    assert dump["layers"]
    assert int(own.parts.train.index[5]) in dump["examples"]  # type: ignore[attr-defined]


def test_too_little_memory_says_what_was_asked_and_what_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    own = job()
    monkeypatch.setattr(own.parts.model, "forward", full)
    with (
        new_run() as run,
        pytest.raises(ComputeError, match=r"training with batches of 32 digits examples \(fp32\) does not fit") as caught,
    ):
        fitted(run, own)
    assert caught.value.hint == "trainer.batch_size=8 trainer.accumulate=4"


# State


def test_a_snapshot_puts_another_job_where_this_one_stands() -> None:
    with new_run() as run:
        fitted(run, job("trainer.ema=0.9"))
        saved = read(run, "step-00000006")
    own = job("trainer.ema=0.9", "seed=5")
    progress = restore(own, saved, source="here")
    files = pack(snapshot(own, progress, metrics_size=metrics_size(saved, source="here")))
    assert files == pack(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {}}, "is missing"),
        ({"ema": None}, "averaged weights"),
        ({"optimizer": {"stray/momentum_buffer": torch.zeros(1)}}, "'stray'"),
        ({"progress": {"step": 7}}, "is at step 7; expected 0 … 6"),
        ({"progress": {"step": -1}}, "is at step -1"),
        ({"progress": {"step": "x"}}, "step='x'"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_a_data_error(change: dict[str, Any], message: str) -> None:
    own = job("trainer.ema=0.9")
    with pytest.raises(DataError, match=message):
        restore(own, replace(snapshot(own, Progress()), **change), source="here")


@pytest.mark.parametrize("size", [None, "3", 1.5])
def test_a_checkpoint_that_does_not_know_its_metrics_is_a_data_error(size: Any) -> None:
    saved = replace(snapshot(job(), Progress()), progress={"metrics_size": size})
    with pytest.raises(DataError, match="metrics_size"):
        metrics_size(saved, source="here")


def test_train_and_finetune_share_their_settings() -> None:
    assert issubclass(TrainSettings, FitSettings)


def test_a_run_whose_folder_went_away_is_a_storage_error() -> None:
    from dlcli.errors import StorageError

    with new_run() as run:
        shutil.rmtree(run.path)
        with pytest.raises(StorageError, match="No such file"):
            fitted(run, job())


def test_balanced_class_weights_are_made_from_the_training_data(dl: Any) -> None:
    answer = dl("train", "digits", "loss.class_weights=balanced", "limit_train=200", "--epochs", "1", "--quiet")
    assert (answer.code, answer.err) == (0, "")
