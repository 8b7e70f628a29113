"""What an attack leaves in its run folder."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcli.commands.attack_figures import Attacked
from dlcli.commands.attack_files import (
    KEPT_EXAMPLES,
    examples_csv,
    examples_npz,
    in_8_bits,
    keeps_examples,
    rounded_predictions,
)
from dlcli.engine.perturb import AttackReport


def report(*, count: int = 2, adversarial: Tensor | None = None, goals: Tensor | None = None) -> AttackReport:
    """Examples of class 0 of one black pixel, at places 10 and on, all taken for class 1 under attack."""
    inputs, zeros = torch.zeros(count, 1, 1, 1), torch.zeros(count, dtype=torch.long)
    moved = torch.full_like(inputs, 0.25) if adversarial is None else adversarial
    index = 10 + torch.arange(count)
    return AttackReport(inputs, moved, zeros, zeros, zeros + 1, torch.zeros(count), index, forwards=0, backwards=0, goals=goals)


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_levels_are_rounded_and_not_cut_off() -> None:
    images = torch.tensor([254.9999, 254.4, 0.5001, 0.4999]).div(255).reshape(4, 1, 1, 1)
    assert in_8_bits(images).flatten().tolist() == [255, 254, 1, 0]


def test_images_of_8_bits_are_what_they_were() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    assert in_8_bits(levels.to(torch.float32).div(255)).equal(levels)


def test_success_is_asked_again_of_the_rounded_images() -> None:
    class Over(nn.Module):
        """Class 1 above 100.2 of 255 levels, which 101 is and 100 is not."""

        def forward(self, inputs: Tensor) -> Tensor:
            level = 255 * inputs.flatten(1)
            return torch.cat([torch.full_like(level, 100.2), level], dim=1)

    moved = torch.tensor([100.3, 100.7]).div(255).reshape(2, 1, 1, 1)
    found = report(adversarial=moved)
    assert Over()(moved).argmax(dim=1).tolist() == [1, 1]
    rounded = rounded_predictions(Over(), found, batch_size=1, device=torch.device("cpu"))
    assert rounded.tolist() == [0, 1]
    lines = rows(examples_csv(Attacked(found, found, rounded), ("a", "b")))
    assert [(line["success"], line["success_8bit"]) for line in lines] == [("1", "0"), ("1", "1")]


def test_a_line_says_where_an_example_is_from_and_what_became_of_it() -> None:
    found = report(count=1)
    (line,) = rows(examples_csv(Attacked(found, found), ("cat", "=dog")))
    assert line == {
        "index": "10",
        "target": "cat",
        "clean": "cat",
        "attacked": "'=dog",
        "success": "1",
        "linf": "0.25",
        "l2": "0.25",
    }


def test_with_goals_a_line_names_the_goal() -> None:
    found = report(goals=torch.tensor([1, 2]))
    lines = rows(examples_csv(Attacked(found, found), ("cat", "dog", "fish")))
    assert [(line["goal"], line["success"]) for line in lines] == [("dog", "1"), ("fish", "0")]


def test_the_archive_holds_float_and_8_bit_images_and_needs_no_pickle() -> None:
    found = report(adversarial=torch.tensor([0.25, 0.999]).reshape(2, 1, 1, 1))
    with np.load(io.BytesIO(examples_npz(found)), allow_pickle=False) as archive:
        assert set(archive) == {"adversarial", "adversarial_8bit", "targets", "index"}
        assert archive["adversarial"].dtype == np.float32
        assert archive["adversarial"].ravel().tolist() == pytest.approx([0.25, 0.999])
        assert archive["adversarial_8bit"].ravel().tolist() == [64, 255]
        assert archive["index"].tolist() == [10, 11]
    assert examples_npz(found) == examples_npz(found)


def test_a_table_has_no_8_bits() -> None:
    found = replace(report(), inputs=torch.zeros(2, 3), adversarial=torch.ones(2, 3))
    with np.load(io.BytesIO(examples_npz(found)), allow_pickle=False) as archive:
        assert set(archive) == {"adversarial", "targets", "index"}


def test_few_examples_are_kept_unasked_and_many_only_when_asked_for() -> None:
    few, many = report(count=KEPT_EXAMPLES), report(count=KEPT_EXAMPLES + 1)
    large = report(count=1, adversarial=torch.empty(1, 1, 1, 1).expand(1, 1, 4001, 4001))
    assert [keeps_examples(found, None) for found in (few, many, large)] == [True, False, False]
    assert [keeps_examples(found, asked) for found, asked in ((few, False), (many, True))] == [False, True]
