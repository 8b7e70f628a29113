"""What finetuning keeps of the parent, and what it makes anew."""

import random
from pathlib import Path

import pytest
import torch

from dlcli.commands.console import Talk
from dlcli.commands.finetune import finetune_job
from dlcli.commands.models import load_model
from dlcli.config.compose import compose
from dlcli.config.schema import FinetuneSettings, checked_settings

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def settings() -> FinetuneSettings:
    found = checked_settings("finetune", compose("finetune", ["run=builtin:mnist"]))
    assert isinstance(found, FinetuneSettings)
    return found


def test_the_body_is_the_parents_and_the_head_is_new(settings: FinetuneSettings) -> None:
    parent = load_model("builtin:mnist", which="best", device=CPU, talk=Talk(quiet=True)).model.state_dict()
    prepared = finetune_job(settings, CPU, Talk(quiet=True))
    assert prepared.head == "net.head"
    for name, tensor in prepared.job.model.state_dict().items():
        assert torch.equal(tensor, parent[name]) != name.startswith("net.head."), name


def test_the_parents_preprocessing_stands_before_the_network(settings: FinetuneSettings) -> None:
    model = finetune_job(settings, CPU, Talk(quiet=True)).job.model
    assert model.preprocessing.shape == (1, 28, 28)
    assert model.preprocessing.mean == (0.1307,)
    assert model.spec.name == "digits"


def test_small_images_are_enlarged_inside_the_model(settings: FinetuneSettings) -> None:
    model = finetune_job(settings, CPU, Talk(quiet=True)).job.model.eval()
    images = torch.rand(2, 1, 8, 8)
    enlarged = torch.nn.functional.interpolate(images, size=(28, 28), mode="bilinear", antialias=True)
    assert torch.allclose(model(images), model.net((enlarged - 0.1307) / 0.3081), atol=1e-6)


def test_the_new_head_is_repeated_by_the_seed(settings: FinetuneSettings) -> None:
    first, second = (finetune_job(settings, CPU, Talk(quiet=True)).job.model.state_dict() for _ in range(2))
    assert torch.equal(first["net.head.weight"], second["net.head.weight"])


def test_the_same_data_keeps_its_head(settings: FinetuneSettings) -> None:
    same = checked_settings("finetune", compose("finetune", ["run=builtin:mnist", "data=mnist"]))
    assert isinstance(same, FinetuneSettings)
    assert finetune_job(same, CPU, Talk(quiet=True)).head is None


def noise(path: Path) -> Path:
    """Sixty rows of which nothing can be learned but by heart."""
    draw = random.Random(0)
    rows = [f"{draw.random():.6f},{draw.random():.6f},{draw.choice(['Yes', 'No'])}" for _ in range(60)]
    path.write_text("\n".join(["a,b,left", *rows]) + "\n")
    return path


@pytest.mark.parametrize("extra", [("--cv", "3"), ("data.split_seed=7",)])
def test_rows_that_the_parent_learned_are_never_tested_on(dl, tmp_path, extra):
    table = ("--data", str(noise(tmp_path / "noise.csv")), "--target", "left")
    assert dl("train", *table, "trainer.epochs=2", "--name", "parent", "--quiet", *extra).code == 0
    answer = dl("finetune", "--run", "parent", *table)
    assert answer.code == 2
    assert "it has seen examples that would be tested" in answer.err
    again = dl("train", *table, "--from", "parent")
    assert again.code == 2


def test_a_table_with_other_categories_is_no_other_data_for_the_same_network(dl, tmp_path):
    for name, city in (("one", "Ulm"), ("two", "Jena")):
        rows = [f"{20 + row % 30},{city if row % 3 else 'Bonn'},{'Yes' if row % 30 > 20 else 'No'}" for row in range(120)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["age,city,left", *rows]) + "\n")
    assert dl("train", "--data", str(tmp_path / "one.csv"), "--target", "left", "trainer.epochs=1", "--quiet").code == 0
    answer = dl("finetune", "--run", "one", "--data", str(tmp_path / "two.csv"), "--target", "left")
    assert answer.code == 2
    assert "knows other columns or categories than two: 'city' differs" in answer.err


_STANDING = ("finetune", "--run", "builtin:mnist", "labels=100", "limit_test=40", "optimizer.lr=1e-12", "--epochs", "6")


def test_a_fit_that_no_epoch_has_helped_says_what_it_keeps_and_that_it_ended_early(dl):
    answer = dl(*_STANDING, "strategy.probe_epochs=2", "trainer.patience=2")
    assert answer.code == 0, answer.err
    assert "the head alone, before any epoch · val loss" in answer.err
    assert "no epoch was better than the head alone: its weights are kept" in answer.err
    assert "ended after epoch 3 of 6: val/accuracy was no better for as many epochs as trainer.patience=2 waits" in answer.err


def test_without_a_head_trained_first_it_is_the_start_that_is_kept(dl):
    answer = dl(*_STANDING, "strategy=full", "trainer.patience=null")
    assert answer.code == 0, answer.err
    assert "no epoch was better than the start: its weights are kept" in answer.err
    assert "ended after" not in answer.err


def test_a_fit_that_helped_says_neither(dl):
    answer = dl("finetune", "--run", "builtin:mnist", "labels=100", "limit_test=40", "--epochs", "2", "strategy=full")
    assert answer.code == 0, answer.err
    assert "no epoch was better" not in answer.err
    assert "ended after" not in answer.err
