"""What the fits of a comparison have in common, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dlcli.classifier import Preprocessing
from dlcli.commands.comparison import MIN_STEPS, Comparison
from dlcli.commands.start import Start, decoded_for
from dlcli.commands.training import plan_of


def test_there_is_a_fit_for_each_count_seed_and_arm_the_fewest_labels_first(comparison: Comparison) -> None:
    cells = comparison.cells()
    assert len(cells) == len(set(cells)) == 2 * 2 * 3
    assert [cell.labels for cell in cells] == [2] * 6 + [3] * 6
    assert [cell.seed for cell in cells] == [0, 0, 0, 1, 1, 1] * 2
    assert [cell.arm for cell in cells[:3]] == ["linear_probe", "finetuned", "from_scratch"]


def test_seeds_begin_at_the_one_that_was_given(comparison: Comparison) -> None:
    assert list(replace(comparison, settings=replace(comparison.settings, seed=7)).seeds) == [7, 8]


def test_to_see_that_it_runs_takes_the_fewest_labels_and_two_seeds(comparison: Comparison) -> None:
    short = replace(comparison, settings=replace(comparison.settings, fast_dev_run=True, compare_seeds=5))
    assert (short.counts, len(short.seeds)) == ((2,), 2)


@pytest.mark.parametrize("examples", [16, 33, 80, 800])
def test_a_fit_takes_many_steps_however_few_examples_there_are(comparison: Comparison, examples: int) -> None:
    settings = comparison.settings_for(3, examples)
    assert settings.trainer.epochs * plan_of(settings).steps_per_epoch(examples) >= MIN_STEPS
    assert settings.seed == 3
    assert settings.trainer.patience is None


def test_many_examples_take_the_epochs_that_were_asked_for(comparison: Comparison) -> None:
    assert comparison.settings_for(0, 100_000).trainer.epochs == comparison.settings.trainer.epochs


def test_a_fresh_network_knows_what_the_start_knows_but_for_its_head(comparison: Comparison) -> None:
    first, again, other = (comparison.fresh(seed).state_dict() for seed in (0, 0, 1))
    for name, tensor in comparison.weights.items():
        if name.startswith("net.head."):
            assert torch.equal(first[name], again[name])
        else:
            assert torch.equal(first[name], tensor)
    assert not torch.equal(first["net.head.weight"], other["net.head.weight"])


def test_test_examples_are_never_among_the_labels(comparison: Comparison) -> None:
    test, train = ({bytes(image) for image in part.inputs.numpy()} for part in (comparison.test, comparison.bundle.train))
    assert len(test & train) <= 1  # two of the digits are alike, pixel for pixel


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "digits", "--compare", "10,2000"), "training examples of class '8'"),
        (("--data", "mnist", "--compare", "10"), "builtin:mnist was trained on mnist itself"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_a_run_is_made(dl, tmp_path, arguments, said) -> None:
    answer = dl("finetune", "--run", "builtin:mnist", *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.errors) <= 2
    assert not list((tmp_path / "runs").glob("finetune/*/*"))


def test_the_hint_keeps_the_counts_that_are_possible(dl) -> None:
    answer = dl("finetune", "--run", "builtin:mnist", "--data", "digits", "--compare", "2,10,2000")
    assert "--compare 2,10" in answer.err


def test_data_without_a_test_part_are_refused(dl, tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("\n".join(["age,left", *(f"{20 + row // 2},{'Yes' if row % 3 else 'No'}" for row in range(30))]) + "\n")
    answer = dl("finetune", "--data", str(table), "--target", "left", "data.test_share=0", "--compare", "2")
    assert answer.code == 2
    assert "people has no test data to compare networks on" in answer.err


def test_photos_are_decoded_at_the_size_that_a_backbone_wants_unless_one_is_named(comparison: Comparison) -> None:
    start = Start(
        node={},
        preprocessing=Preprocessing(shape=(3, 224, 224), mean=(0.5,) * 3, std=(0.2,) * 3),
        weights=lambda model, head: {},
        reference=None,
        name="backbone",
    )
    folder = replace(comparison.settings, run=None, backbone="resnet18", data={"size": 64})
    assert decoded_for(start, folder, []).data["size"] == 224
    assert decoded_for(start, replace(folder, size=96), []).data["size"] == 96
    assert decoded_for(start, folder, ["data.size=64"]).data["size"] == 64
    assert decoded_for(comparison.start, folder, []).data["size"] == 64
