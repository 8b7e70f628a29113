"""Which examples are shown to people."""

from __future__ import annotations

import io

import torch
from PIL import Image

from dlcli.commands.mistakes import mistakes_first, mistakes_picture, notable
from dlcli.contracts import Predictions
from dlcli.data.memory import MemorySplit


def test_confident_mistakes_come_first_then_the_least_confident_hits() -> None:
    logits = torch.tensor([[3.0, 0.0], [0.5, 0.0], [0.0, 2.0], [0.0, 0.1]])
    split = MemorySplit(torch.rand(4, 1, 8, 8), torch.tensor([0, 0, 0, 0]))
    shown = mistakes_first(split, Predictions(logits, split.targets, split.index), ("cat", "dog"), count=4)
    assert shown is not None
    assert [caption.split()[0] for caption in shown.captions] == ["dog", "dog", "cat", "cat"]
    assert shown.captions == ["dog 88 %, is cat", "dog 52 %, is cat", "cat 62 %", "cat 95 %"]
    assert shown.images.shape == (4, 8, 8, 3)


def test_tables_have_no_pictures() -> None:
    split = MemorySplit(torch.rand(2, 3), torch.tensor([0, 1]))
    predictions = Predictions(torch.rand(2, 2), split.targets, split.index)
    assert mistakes_first(split, predictions, ("a", "b"), count=2) is None


def test_what_is_notable_comes_in_order() -> None:
    # True class 0 throughout: right and sure, right and unsure, wrong and unsure, wrong and sure, wrong between two others.
    logits = torch.tensor([[9.0, 0, 0], [0.2, 0, 0], [0.0, 0.5, 0], [0.0, 9.0, 0], [-20.0, 4.0, 4.0]])
    found = notable(Predictions(logits, torch.zeros(5, dtype=torch.int64), torch.arange(5)), count=3)
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "worst": [4, 3, 2],
        "least sure": [1, 2, 4],
        "sure and wrong": [3, 4, 2],
    }


def test_a_model_without_mistakes_has_only_what_it_was_least_sure_of() -> None:
    logits = torch.tensor([[9.0, 0, 0], [0.2, 0, 0]])
    found = notable(Predictions(logits, torch.zeros(2, dtype=torch.int64), torch.arange(2)))
    assert {name: rows.tolist() for name, rows in found.items()} == {"least sure": [1, 0]}


def test_the_picture_has_a_row_for_each_kind_and_tables_have_none() -> None:
    split = MemorySplit(torch.rand(4, 1, 8, 8), torch.tensor([0, 0, 1, 1]))
    logits = torch.tensor([[3.0, 0.0], [0.0, 2.0], [0.0, 2.0], [0.1, 0.0]])
    picture = mistakes_picture(split, Predictions(logits, split.targets, split.index), ("cat", "dog"))
    assert picture is not None
    assert Image.open(io.BytesIO(picture)).height > 2 * 144
    table = MemorySplit(torch.rand(4, 3), split.targets)
    assert mistakes_picture(table, Predictions(logits, split.targets, split.index), ("cat", "dog")) is None
