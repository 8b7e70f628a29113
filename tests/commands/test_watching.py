"""``trainer.watch=true``: the layers' numbers, a picture and words; the run is the same without it."""

from __future__ import annotations

import json
from typing import Any

from dlcli.runs.find import RunInfo, list_runs

SMALL = ("train", "digits", "limit_train=300", "trainer.log_every=2", "--epochs", "2", "augment=none")


def newest() -> RunInfo:
    return max(list_runs(), key=lambda run: run.id)


def weights(run: RunInfo) -> bytes:
    return max((run.path / "checkpoints").glob("step-*")).joinpath("model.safetensors").read_bytes()


def numbers(run: RunInfo) -> list[dict[str, Any]]:
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name != "time"} for line in lines]


def test_a_watched_run_is_bit_for_bit_the_run_that_nobody_watches_and_says_what_it_saw(dl: Any) -> None:
    assert dl(*SMALL).code == 0
    plain = newest()
    answer = dl(*SMALL, "trainer.watch=true")
    assert answer.code == 0, answer.err
    watched = newest()
    assert weights(watched) == weights(plain)
    extra = [line for line in numbers(watched) if line["name"].startswith("watch/")]
    assert [line for line in numbers(watched) if line not in extra] == numbers(plain)
    losses = [line["step"] for line in numbers(plain) if (line["split"], line["name"]) == ("train", "loss")]
    assert sorted({line["step"] for line in extra}) == losses
    assert {line["name"].split("/")[1] for line in extra} == {"grad_norm", "weight_norm", "update_ratio", "dead"}
    assert "watch: the gradient of " in answer.err
    assert watched.result is not None
    assert watched.result.files["watch"] == "plots/watch.png"
    assert (watched.path / "plots" / "watch.png").is_file()
    assert not (plain.path / "plots" / "watch.png").exists()


def test_the_cure_of_the_deep_sigmoid_network_shows_in_what_is_said(dl: Any) -> None:
    said = {}
    for model in ("deep_sigmoid", "deep_relu"):
        answer = dl(*SMALL, f"model={model}", "trainer.watch=true", "optimizer.lr=0.01")
        assert answer.code == 0, answer.err
        said[model] = answer.err
    assert "it vanishes on its way" in said["deep_sigmoid"]
    assert "it reaches the first layer" in said["deep_relu"]


def test_a_network_of_one_layer_has_a_picture_too(dl: Any) -> None:
    answer = dl(*SMALL, "trainer.watch=true", "model=mlp", "model.widths=[]", "optimizer.lr=0.01")
    assert answer.code == 0, answer.err
    assert (newest().path / "plots" / "watch.png").is_file()


def test_a_run_that_breaks_still_shows_what_its_layers_did(dl: Any) -> None:
    answer = dl(*SMALL, "trainer.watch=true", "trainer.log_every=1", "optimizer.lr=1e20", "scheduler=constant")
    assert answer.code == 70
    assert (newest().path / "plots" / "watch.png").is_file()
