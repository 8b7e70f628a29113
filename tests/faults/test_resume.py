"""Resuming by the command line: to the same bytes, past damage, and with a clear word where there is nothing to go on from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dlcli.engine import fit as engine
from dlcli.runs.find import list_runs, read_run
from dlcli.runs.run import checkpoint_names

# 96 examples in batches of 16 are 6 steps an epoch, 12 in all.
TINY = (
    "digits",
    "--epochs",
    "2",
    "--quiet",
    "limit_train=96",
    "trainer.batch_size=16",
    "trainer.save_every=4",
    "trainer.ema=0.9",
    "model.dropout=0.2",
    "augment=shift",
)
Dl = Callable[..., Any]


@contextmanager
def stopped_at(step: int, *, place: str = "_train_step", in_head: bool = False) -> Iterator[None]:
    """Sends this process SIGTERM when the engine enters ``place`` at ``step`` of the fit, or of its head, which comes first."""
    with pytest.MonkeyPatch.context() as patch:
        function = getattr(engine, place)

        def wrapper(parts: Any, plan: Any, progress: Any, *arguments: Any) -> Any:
            if progress.step == step and in_head == (plan.epochs == HEAD_EPOCHS):
                os.kill(os.getpid(), signal.SIGTERM)
            return function(parts, plan, progress, *arguments)

        patch.setattr(engine, place, wrapper)
        yield


def newest() -> Path:
    return next(list_runs(verbs=("train", "finetune"))).path


def outcome(path: Path) -> dict[str, Any]:
    """What must not depend on where a run was stopped."""
    last = path / "checkpoints" / checkpoint_names(path)[-1]
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return {
        "last": last.name,
        "tensors": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(last.glob("*.safetensors"))},
        "metrics": [{name: value for name, value in line.items() if name != "time"} for line in lines],
        "result": json.loads((path / "result.json").read_text())["metrics"],
        "index": json.loads((path / "checkpoints" / "index.json").read_text()),
    }


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))


def stopped(dl: Dl, step: int, *more: str, place: str = "_train_step") -> Path:
    with stopped_at(step, place=place):
        answer = dl("train", *TINY, *more)
    assert answer.code == 143, answer.err
    return newest()


@pytest.fixture(scope="module")
def undisturbed(dl: Dl, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(tmp_path_factory.mktemp("undisturbed")))
        assert dl("train", *TINY).code == 0
        return outcome(newest())


def test_the_same_command_gives_the_same_bytes(dl: Dl, undisturbed: dict[str, Any]) -> None:
    assert dl("train", *TINY).code == 0
    assert outcome(newest()) == undisturbed


@pytest.mark.parametrize(("step", "place"), [(2, "_train_step"), (5, "_train_step"), (6, "_close_epoch"), (12, "_close_epoch")])
def test_a_run_stopped_anywhere_ends_as_if_it_had_not_been(dl: Dl, undisturbed: dict[str, Any], step: int, place: str) -> None:
    path = stopped(dl, step, place=place)
    assert checkpoint_names(path)[-1] == f"step-{step + (place == '_train_step'):08d}"
    assert dl("train", "--resume", path.name, "--quiet").code == 0
    assert outcome(path) == undisturbed


def test_a_run_stopped_in_its_test_goes_on_there(dl: Dl, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("dlcli.commands.conclude._take_best", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
        answer = dl("train", *TINY)
    assert answer.code == 130
    assert f"dl train --resume {newest().name}" in answer.err
    assert dl("train", "--resume", "--quiet").code == 0
    assert outcome(newest()) == undisturbed


def test_a_run_that_was_stopped_by_the_clock_says_so_and_goes_on_without_it(dl: Dl, undisturbed: dict[str, Any]) -> None:
    answer = dl("train", *TINY, "trainer.max_time=0.000001")
    path = newest()
    assert answer.code == 1
    assert answer.errors[:2] == [
        "error: stopped by trainer.max_time=1e-06 s; saved at step 0 of 12",
        f"try: dl train --resume {path.name} trainer.max_time=null",
    ]
    assert dl("train", "--resume", "--quiet").code == 1
    assert dl("train", "--resume", "--quiet", "trainer.max_time=null").code == 0
    assert outcome(path) == undisturbed


def test_a_damaged_newest_checkpoint_is_warned_of_and_the_previous_one_taken(dl: Dl, undisturbed: dict[str, Any]) -> None:
    path = stopped(dl, 9)
    assert checkpoint_names(path) == ["step-00000006", "step-00000008", "step-00000010"]
    flip(path / "checkpoints" / "step-00000010" / "ema.safetensors")
    answer = dl("train", "--resume")
    assert answer.code == 0
    assert "step-00000010/ema.safetensors is damaged" in answer.err
    assert "at step 8 of 12" in answer.err
    assert outcome(path) == undisturbed


def test_several_damaged_checkpoints_do_not_push_out_what_is_saved_next(dl: Dl, undisturbed: dict[str, Any]) -> None:
    path = stopped(dl, 9)
    for name in ("step-00000008", "step-00000010"):
        flip(path / "checkpoints" / name / "state.json")
    with stopped_at(6):
        assert dl("train", "--resume", "--quiet").code == 143
    assert checkpoint_names(path) == ["step-00000006", "step-00000007"]
    assert dl("train", "--resume", "--quiet").code == 0
    assert outcome(path) == undisturbed


def test_where_every_checkpoint_is_damaged_the_exit_code_is_65_and_nothing_is_changed(dl: Dl) -> None:
    path = stopped(dl, 9)
    for name in checkpoint_names(path):
        flip(path / "checkpoints" / name / "MANIFEST.json")
    before = (path / "metrics.jsonl").read_bytes()
    answer = dl("train", "--resume", "--quiet")
    assert answer.code == 65
    assert "no checkpoint of" in answer.err
    assert (path / "metrics.jsonl").read_bytes() == before
    assert read_run(path).state == "failed"


def test_where_no_checkpoint_was_ever_written_the_run_starts_at_step_0(dl: Dl, undisturbed: dict[str, Any]) -> None:
    path = stopped(dl, 2)
    shutil.rmtree(path / "checkpoints")
    answer = dl("train", "--resume")
    assert answer.code == 0
    assert "at step 0 of 12" in answer.err
    assert outcome(path) == undisturbed


def test_a_finished_run_says_so_and_how_to_train_longer(dl: Dl) -> None:
    assert dl("train", *TINY, "--name", "mine").code == 0
    path = newest()
    before = {entry: entry.stat().st_mtime_ns for entry in path.rglob("*")}
    answer = dl("train", "--resume", "mine")
    assert answer.code == 0
    assert f"run {path.name} is finished; nothing to do" in answer.err
    longer = next(line for line in answer.err.splitlines() if line.startswith("longer: "))
    assert longer.startswith(f"longer: dl train digits --from {path.name} ")
    assert "model.dropout=0.2" in longer  # the same network, or its weights would not fit
    assert longer.endswith(" trainer.epochs=N")
    assert {entry: entry.stat().st_mtime_ns for entry in path.rglob("*")} == before


def test_a_finished_run_prints_its_result_where_json_is_asked_for(dl: Dl) -> None:
    assert dl("train", *TINY).code == 0
    answer = dl("train", "--resume", newest().name, "--json", "--quiet")
    assert answer.out.encode() == (newest() / "result.json").read_bytes()


def test_nothing_but_time_and_device_may_change_and_nonsense_is_a_usage_error(dl: Dl) -> None:
    stopped(dl, 2)
    for change, message in (
        ("optimizer.lr=1", "'optimizer.lr' cannot change"),
        ("trainer.epochs=9", "'trainer.epochs' cannot change"),
        ("trainer.max_time=soon", "trainer.max_time"),
        ("trainer.max_time=[", "cannot be read"),
        ("device=cudaa", "unknown device"),
    ):
        answer = dl("train", "--resume", "--quiet", change)
        assert answer.code == 2, change
        assert message in answer.err, change


def test_a_run_of_another_verb_is_refused_with_the_right_command(dl: Dl) -> None:
    path = stopped(dl, 2)
    answer = dl("finetune", "--resume", path.name, "--quiet")
    assert answer.code == 2
    assert f"try: dl train --resume {path.name}" in answer.err


@pytest.mark.parametrize("text", ["", "[]", "{", "seed: 0", "a: &x 1\nb: *x\n", "!!python/object/apply:os.system [true]"])
def test_a_config_that_dlcli_did_not_write_is_a_data_error(dl: Dl, text: str) -> None:
    path = stopped(dl, 2)
    (path / "config.yaml").write_text(text)
    answer = dl("train", "--resume", path.name, "--quiet")
    assert answer.code == 65, answer.err
    assert "config.yaml" in answer.err


def test_metrics_that_were_cut_are_a_data_error(dl: Dl) -> None:
    path = stopped(dl, 7)
    (path / "metrics.jsonl").write_text("")
    answer = dl("train", "--resume", "--quiet")
    assert answer.code == 65
    assert "its checkpoint expects at least" in answer.err


def test_other_threads_are_said_to_make_it_valid_but_not_bit_exact(dl: Dl) -> None:
    path = stopped(dl, 2)
    information = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**information, "device": "cpu (64 threads)"}))
    answer = dl("train", "--resume", "--quiet")
    assert answer.code == 0
    assert "valid, not bit-exact: device cpu (64 threads) → cpu (1 thread)" in answer.err


def test_a_longer_run_starts_from_the_weights_and_its_average_does_too(dl: Dl) -> None:
    assert dl("train", *TINY).code == 0
    before = newest()
    arguments = [argument for argument in TINY if argument != "--quiet"]
    assert dl("train", *arguments, "--quiet", "--from", before.name, "optimizer.lr=1e-12", "augment=none").code == 0
    own, old = (json.loads((path / "result.json").read_text()) for path in (newest(), before))
    assert own["parent"] == before.name
    assert own["metrics"]["test/accuracy"]["value"] >= old["metrics"]["test/accuracy"]["value"] - 0.02


# Finetuning


@pytest.fixture
def parent(dl: Dl) -> Path:
    assert dl("train", *TINY).code == 0
    return newest()


HEAD_EPOCHS = 30  # of strategy=head_first
FINETUNE = ("--quiet", "data=digits", "limit_train=96", "trainer.epochs=2", "trainer.save_every=2")


def finetuned(dl: Dl, step: int | None, *extra: str) -> Path:
    if step is None:
        assert dl("finetune", *FINETUNE, *(extra or ("--run", "latest"))).code == 0
    else:
        with stopped_at(step):
            assert dl("finetune", *FINETUNE, *(extra or ("--run", "latest"))).code == 143
    return newest()


def test_a_finetuned_run_goes_on_bit_for_bit_also_when_its_parent_is_gone(dl: Dl, parent: Path) -> None:
    stopped_one = finetuned(dl, 3)
    whole = finetuned(dl, None)
    shutil.rmtree(parent)
    assert dl("finetune", "--resume", stopped_one.name, "--quiet").code == 0
    assert outcome(stopped_one) == outcome(whole)


def test_latest_means_on_resuming_what_it_meant_at_the_start(dl: Dl, parent: Path) -> None:
    stopped_one = finetuned(dl, 1)
    whole = finetuned(dl, None)  # the newest model by now, and it would be another start
    shutil.rmtree(stopped_one / "checkpoints")
    assert dl("finetune", "--resume", stopped_one.name, "--quiet").code == 0
    assert outcome(stopped_one) == outcome(whole)


def test_a_run_stopped_while_its_head_is_trained_begins_again(dl: Dl, parent: Path) -> None:
    with stopped_at(5, in_head=True):
        assert dl("finetune", *FINETUNE, "--run", parent.name).code == 143
    stopped_one = newest()
    assert not checkpoint_names(stopped_one)
    whole = finetuned(dl, None, "--run", parent.name)
    assert dl("finetune", "--resume", stopped_one.name, "--quiet").code == 0
    assert outcome(stopped_one) == outcome(whole)


def test_a_run_stopped_at_its_first_step_does_not_train_its_head_again(dl: Dl, parent: Path) -> None:
    stopped_one = finetuned(dl, 0, "--run", parent.name)
    whole = finetuned(dl, None, "--run", parent.name)
    answer = dl("finetune", "--resume", stopped_one.name)
    assert answer.code == 0
    assert "head alone on features" not in answer.err
    assert outcome(stopped_one) == outcome(whole)


def test_a_run_stopped_while_its_start_is_judged_does_not_train_its_head_again(
    dl: Dl, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finetuned(dl, None, "--run", parent.name)
    with monkeypatch.context() as patch:
        judged = engine._validated
        stop = partial(os.kill, os.getpid(), signal.SIGTERM)  # returns None, as a judgement that was cut off does
        patch.setattr(
            engine, "_validated", lambda parts, plan, asked: (stop if plan.score_start else partial(judged, parts, plan, asked))()
        )
        assert dl("finetune", *FINETUNE, "--run", parent.name).code == 143
    answer = dl("finetune", "--resume", newest().name)
    assert answer.code == 0
    assert "head alone on features" not in answer.err
    assert outcome(newest()) == outcome(whole)


def test_a_run_that_the_clock_stopped_had_its_head_trained_whole(dl: Dl, parent: Path) -> None:
    whole = finetuned(dl, None, "--run", parent.name)
    assert dl("finetune", *FINETUNE, "--run", parent.name, "trainer.max_time=0.0001").code == 1
    assert dl("finetune", "--resume", newest().name, "trainer.max_time=null", "--quiet").code == 0
    assert outcome(newest()) == outcome(whole)


@pytest.mark.parametrize("strategy", ["gradual", "linear_probe", "last_stages", "full"])
@pytest.mark.parametrize("step", [1, 4])
def test_every_strategy_goes_on_bit_for_bit(dl: Dl, parent: Path, strategy: str, step: int) -> None:
    stopped_one = finetuned(dl, step, f"strategy={strategy}", "--run", parent.name)
    whole = finetuned(dl, None, f"strategy={strategy}", "--run", parent.name)
    assert dl("finetune", "--resume", stopped_one.name, "--quiet").code == 0
    assert outcome(stopped_one) == outcome(whole)


def test_a_size_that_was_typed_is_kept_where_nothing_was_saved_yet(dl: Dl, tmp_path: Path) -> None:
    for number in range(24):
        image = Image.effect_noise((60, 60), 40 + 10 * (number % 2))
        (tmp_path / "photos" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "photos" / "ab"[number % 2] / f"{number}.png")
    words = (
        "--backbone",
        "shufflenet_v2_x0_5",
        "--weights",
        "none",
        "--data",
        str(tmp_path / "photos"),
        "data.size=20",
        "--size",
        "32",
        "--quiet",
    )
    few = ("trainer.epochs=2", "trainer.batch_size=4")
    with stopped_at(1):
        assert dl("finetune", *words, *few).code == 143
    stopped_one = newest()
    shutil.rmtree(stopped_one / "checkpoints")
    assert dl("finetune", *words, *few).code == 0
    whole = newest()
    assert dl("finetune", "--resume", stopped_one.name, "--quiet").code == 0
    assert outcome(stopped_one) == outcome(whole)
