"""Images without labels, for attack and explain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from dlcli.commands.console import Talk
from dlcli.commands.given_images import given_images, largest_batch
from dlcli.commands.models import load_model
from dlcli.data.mnist import MNIST
from dlcli.errors import UsageError
from dlcli.runs.run import runs_root

Dl = Callable[..., Any]
TALK = Talk(quiet=True)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    images = MNIST().load().test.inputs[:5, 0]
    for number, image in enumerate(images):
        Image.fromarray(image.numpy()).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("not an image")
    return folder


def test_the_models_predictions_stand_for_labels(photos: Path) -> None:
    loaded = load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=TALK)
    split = given_images(str(photos), loaded, limit=None, batch_size=2, talk=TALK)
    assert len(split) == 5
    assert split.targets.tolist() == [7, 2, 1, 0, 4]  # the first five of the test part
    assert len(given_images(str(photos), loaded, limit=3, batch_size=2, talk=TALK)) == 3


def test_unreadable_files_are_left_out_and_said(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "9.png").write_bytes(b"no png")
    loaded = load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=TALK)
    assert len(given_images(str(photos), loaded, limit=None, batch_size=10, talk=Talk())) == 5
    assert "left out" in capsys.readouterr().err


def test_nothing_readable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "9.png").write_bytes(b"no png")
    loaded = load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=TALK)
    with pytest.raises(UsageError, match="none of 1 files"):
        given_images(str(tmp_path), loaded, limit=None, batch_size=10, talk=TALK)


def test_an_attack_names_no_option_of_another_verb(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=TALK)
    given_images(str(photos), loaded, limit=None, batch_size=10, talk=Talk())
    said = capsys.readouterr().err
    assert "photos are prepared as mnist is" in said
    assert "--ingest" not in said


def test_an_attack_without_labels_claims_no_accuracy(dl: Dl, photos: Path) -> None:
    answer = dl("attack", "fgsm", "--run", "builtin:mnist", "--images", str(photos), "--json")
    assert answer.code == 0, answer.err
    assert "no labels" in answer.err
    metrics = json.loads(answer.out)["metrics"]
    assert metrics["attack/success_rate"]["n"] == 5
    assert not [name for name in metrics if name.endswith("accuracy")]
    assert "predictions that the attack changed" in answer.err
    assert "correctly classified" not in answer.err


def test_maps_of_images_without_labels_claim_no_accuracy(dl: Dl, photos: Path) -> None:
    answer = dl("explain", "gradcam", "--run", "builtin:mnist", "--images", str(photos / "0.png"), "--json")
    assert answer.code == 0, answer.err
    metrics = json.loads(answer.out)["metrics"]
    assert "explain/empty_maps" in metrics
    assert not [name for name in metrics if "accuracy" in name]
    assert list(runs_root().glob("explain/*/*/plots/overlays.png"))


@pytest.mark.parametrize(("typed", "said"), [("missing.png", "no file 'missing.png'"), ("nowhere/", "nowhere")])
def test_what_is_not_there_is_said(dl: Dl, typed: str, said: str) -> None:
    answer = dl("attack", "fgsm", "--run", "builtin:mnist", "--images", typed)
    assert answer.code == 2
    assert said in answer.err


def test_large_photos_are_computed_a_few_at_once() -> None:
    assert largest_batch((1, 28, 28)) > 10_000
    assert largest_batch((3, 224, 224)) == 111
    assert largest_batch((3, 10_000, 10_000)) == 1
