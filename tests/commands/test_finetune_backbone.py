"""A backbone through its whole life: its own file of weights, a head of its own, every later verb."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models

from dlcli.commands import finetune as module
from dlcli.commands.console import Talk
from dlcli.commands.finetune import finetune_job
from dlcli.config.compose import compose
from dlcli.config.schema import FinetuneSettings, checked_settings
from dlcli.runs.run import runs_root

NAME = "shufflenet_v2_x0_5"
Dl = Callable[..., Any]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "trained.pth"
    torch.save(models.get_model(NAME, weights=None, num_classes=7).state_dict(), path)
    return path


@pytest.fixture
def few(weights: Path) -> list[str]:
    own = ["finetune", "--backbone", NAME, "--weights", str(weights), "--data", "digits", "--size", "32", "--labels", "60"]
    return [*own, "limit_test=40", "--epochs", "1", "strategy.probe_epochs=2"]


def newest() -> Path:
    return max((path for path in runs_root().glob("finetune/*/*") if path.is_dir()), key=lambda path: path.name)


def test_it_is_trained_beside_one_from_scratch_and_the_last_line_answers(dl: Dl, few: list[str]) -> None:
    answer = dl(*few)
    assert answer.code == 0, answer.err
    last = answer.err.splitlines()[-1]
    assert last.startswith("pretrained ")
    assert " against from scratch " in last
    assert "with 60 labels, at most 1 epoch each, one seed: " in last
    assert "7 outputs" in answer.err or "(7 outputs)" in answer.err
    assert "images are seen at 32 x 32 px · estimate: " in answer.err
    result = json.loads((newest() / "result.json").read_text())
    assert result["metrics"]["test/accuracy"]["n"] == 40
    assert result["metrics"]["test/from_scratch/accuracy"]["method"] == "wilson"
    assert result["metrics"]["finetune/gain"]["method"] == "newcombe_paired"
    assert newest().parent.name == NAME
    record = json.loads((newest() / "run.json").read_text())
    assert record["parent"] is None
    assert datetime.fromisoformat(record["start"]) < datetime.fromisoformat(record["end"])
    assert record["origin"]["weights"] == "trained.pth"
    assert record["origin"]["replaced"] == "net.net.fc"
    assert record["data"]["sizes"] == {"train": 48, "val": 12, "test": 40}
    assert record["verdict"] == last


def test_without_a_baseline_there_is_none(dl: Dl, few: list[str]) -> None:
    answer = dl(*few, "--no-baseline")
    assert answer.code == 0, answer.err
    assert "from scratch" not in answer.err
    assert "finetune/gain" not in json.loads((newest() / "result.json").read_text())["metrics"]


def test_every_later_verb_works_on_it(dl: Dl, few: list[str], tmp_path: Path) -> None:
    assert dl(*few, "--no-baseline", "--quiet").code == 0
    for verb in (["evaluate"], ["attack", "fgsm"], ["explain", "gradcam"]):
        answer = dl(*verb, "--limit", "4", "--quiet")
        assert answer.code == 0, answer.err
    assert dl("report").code == 0


def test_a_linear_probe_reads_each_image_once(dl: Dl, few: list[str]) -> None:
    answer = dl(*few, "--no-baseline", "--strategy", "linear-probe", "--epochs", "5")
    assert answer.code == 0, answer.err
    assert "the head 'fc' alone" in answer.err


def test_a_probe_of_a_backbone_has_the_strategys_epochs_and_not_those_of_its_recipe(dl: Dl, few: list[str]) -> None:
    own = [word for word in few if word not in {"--epochs", "1", "strategy.probe_epochs=2"}]
    answer = dl(*own, "--no-baseline", "--strategy", "linear-probe")
    assert answer.code == 0, answer.err
    assert "epoch 30/30" in answer.err


def test_a_network_whose_head_cannot_be_probed_is_trained_as_a_whole_and_that_is_said(dl: Dl, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "squeeze.pth"
    torch.save(models.squeezenet1_1(weights=None).state_dict(), path)
    few = ["--data", "digits", "--size", "32", "--labels", "40", "limit_test=20", "--epochs", "1", "--no-baseline"]
    answer = dl("finetune", "--backbone", "squeezenet1_1", "--weights", str(path), *few)
    assert answer.code == 0, answer.err
    assert "cannot be probed" in answer.err
    assert "from the first step on" in answer.err


def test_random_weights_are_said_to_be_random_and_have_no_baseline(dl: Dl) -> None:
    few = ["--data", "digits", "--size", "32", "--labels", "40", "limit_test=20", "--epochs", "1"]
    answer = dl("finetune", "--backbone", NAME, "--weights", "none", *few)
    assert answer.code == 0, answer.err
    assert "starts from random ones" in answer.err
    assert "trained: all layers, from random weights" in answer.err
    assert "pretraining" not in answer.err


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("--backbone resnt18", 2, "did you mean 'resnet18'"),
        ("--backbone fcn_resnet50", 2, "not a classifier"),
        ("--backbone resnet18 --weights IMAGENET1K_V9", 2, "IMAGENET1K_V1"),
        ("--backbone resnet18 --weights missing.pth", 2, "missing.pth"),
        ("--backbone resnet18 --run latest", 2, "exclude each other"),
        ("--backbone resnet18 --weights none --data attrition", 2, "reads images"),
        ("--backbone resnet18 --weights none --data digits --labels 5", 2, "each of the 10 classes"),
        ("--backbone alexnet --weights none --data digits --size 16", 2, "at least 63 x 63"),
        ("--run builtin:mnist --strategy last-9", 2, "--strategy last-3, or full"),
        ("--backbone shufflenet_v2_x0_5 --weights none --strategy full", 2, "random weights know nothing"),
        ("--strategy lastt", 2, "lastt"),
        ("--size 64", 2, "belongs to a backbone"),
        ("--labels 0", 2, "labels=0"),
    ],
)
def test_mistakes_get_one_clear_line(dl: Dl, typed: str, code: int, said: str) -> None:
    answer = dl("finetune", *typed.split())
    assert answer.code == code, answer.err
    assert said in answer.err
    assert len(answer.errors) <= 4
    assert not list(runs_root().glob("finetune/*/*"))


def test_weights_of_another_network_are_refused_with_what_differs(dl: Dl, weights: Path) -> None:
    answer = dl("finetune", "--backbone", "resnet18", "--weights", str(weights), "--data", "digits", "--size", "32")
    assert answer.code == 65
    assert "weights of another network" in answer.err


@pytest.mark.parametrize("other", ["--backbone resnet18", f"--backbone {NAME} --strategy last-99"])
def test_what_cannot_be_is_refused_before_the_speed_is_measured(dl: Dl, weights: Path, other: str) -> None:
    answer = dl("finetune", *other.split(), "--weights", str(weights), "--data", "digits")
    assert answer.code in {2, 65}
    assert "estimate" not in answer.err
    assert " px " not in answer.err


def test_a_network_that_is_made_smaller_keeps_the_weights(
    weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    overrides = [f"backbone={NAME}", f"weights={weights}", "data=digits", "labels=60", "limit_test=40", "strategy=full"]
    settings = checked_settings("finetune", compose("finetune", overrides))
    assert isinstance(settings, FinetuneSettings)
    prepared = finetune_job(settings, torch.device("cpu"), Talk())
    assert prepared.settings.size == 64
    assert "taking 64 px" in capsys.readouterr().err
    own = prepared.job.model.state_dict()
    published = {f"net.net.{name}": tensor for name, tensor in torch.load(weights).items() if not name.startswith("fc.")}
    assert all(torch.equal(own[name], tensor) for name, tensor in published.items())


def test_the_command_that_repeats_a_run_names_the_size_that_was_chosen(
    dl: Dl, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(*words: str) -> str:
        answer = dl(*words, "--no-baseline", "--quiet")
        assert answer.code == 0, answer.err
        return str(json.loads((newest() / "run.json").read_text())["command"])

    monkeypatch.setattr(module, "PATIENCE", 0.0)
    place = few.index("--size")
    unsized = [*few[:place], *few[place + 2 :]]
    repeated = command(*unsized)
    assert repeated.endswith(" --size 64")
    assert command(*few).count("--size") == 1
    monkeypatch.undo()
    again = command(*[word for word in shlex.split(repeated)[1:] if word != "--no-baseline"])
    assert again.count("--size 64") == 1


def test_a_dry_run_ends_with_the_size_and_the_time_of_all_that_would_be_done(dl: Dl, few: list[str]) -> None:
    answer = dl(*few, "--epochs", "500", "--dry-run")
    assert answer.code == 0, answer.err
    *_, last = answer.err.splitlines()
    assert "images are seen at 32 x 32 px · estimate: about " in last
    assert ", from scratch " in last
    assert ", testing " in last
    assert last.endswith("nothing was written")


def test_a_truncated_file_is_refused(dl: Dl, weights: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pth"
    cut.write_bytes(weights.read_bytes()[:100_000])
    answer = dl("finetune", "--backbone", NAME, "--weights", str(cut), "--data", "digits")
    assert answer.code == 65
    assert "cut.pth" in answer.err
