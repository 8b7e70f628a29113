"""Which examples are explained."""

import pytest
import torch
from torch import nn

from dlcli.commands.console import Talk
from dlcli.commands.explain_select import _per_class, _rows, check_selection, selected_rows
from dlcli.commands.models import Loaded, load_model
from dlcli.commands.subject import Subject
from dlcli.data.memory import MemorySplit
from dlcli.errors import DataError, UsageError

CPU = torch.device("cpu")


class Told(nn.Module):
    """Logits that are its inputs."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.flatten(1)[:, :3]


@pytest.fixture
def subject() -> Subject:
    """Four examples of three classes: sure and right, sure and wrong, torn and right, torn and wrong."""
    logits = torch.tensor([[9.0, 0.0, 0.0], [9.0, 0.0, 0.0], [1.0, 0.9, 0.0], [1.0, 0.9, 0.0]])
    split = MemorySplit(logits, torch.tensor([0, 1, 0, 1]))
    loaded = load_model("builtin:mnist", which="best", device=CPU, talk=Talk(quiet=True))
    return Subject(Loaded(**{**vars(loaded), "model": Told()}), split, CPU)


def rows(text: str | None, subject: Subject, limit: int = 4) -> list[int]:
    found = selected_rows(text, subject, limit=limit, batch_size=2, seed=0, split="test", check=lambda: None)
    return [int(row) for row in found]


def test_without_a_word_the_first_ones_are_taken(subject: Subject) -> None:
    assert rows(None, subject, 2) == [0, 1]
    assert rows(None, subject, 9) == [0, 1, 2, 3]


def test_worst_is_where_the_true_class_is_least_likely(subject: Subject) -> None:
    assert rows("worst", subject) == [1, 3, 2, 0]


def test_uncertain_is_where_two_classes_are_closest(subject: Subject) -> None:
    assert sorted(rows("uncertain", subject, 2)) == [2, 3]


def test_random_is_the_seeds_and_takes_nothing_twice(subject: Subject) -> None:
    assert rows("random", subject) == rows("random", subject)
    assert sorted(rows("random", subject)) == [0, 1, 2, 3]


def test_as_many_of_each_class_as_there_is_room_for() -> None:
    targets = torch.tensor([0, 0, 0, 2, 1, 2])
    assert _per_class(targets, limit=3).tolist() == [0, 4, 3]
    assert _per_class(targets, limit=5).tolist() == [0, 1, 4, 3, 5]
    assert sorted(_per_class(targets, limit=99).tolist()) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("text", ["worst", "flipped-by:x"])
def test_what_needs_labels_is_refused_without(text: str) -> None:
    with pytest.raises(UsageError, match="have no labels"):
        check_selection(text, labelled=False)


def test_an_unknown_selection_is_refused_with_the_near_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'uncertain'"):
        check_selection("uncertan", labelled=True)
    check_selection("uncertain", labelled=False)


@pytest.mark.parametrize(
    "data", [b"a,b\n1,2\n", b"index,target,clean,attacked\nx,0,0,1\n", b"index,target,clean,attacked\n7,0,0,1\n"]
)
def test_a_table_that_is_not_an_attacks_is_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        _rows(data, "examples.csv", most=5)


def test_flipped_is_right_before_and_wrong_after() -> None:
    table = b"index,target,clean,attacked\n0,a,a,a\n1,a,a,b\n2,a,b,b\n3,b,b,a\n"
    assert _rows(table, "examples.csv", most=5) == [1, 3]
