"""The class that maps are for."""

import pytest
import torch

from dlcli.commands.explain_class import read_class
from dlcli.errors import UsageError

CLASSES = ("cat", "Dog", "2")
CHANCES = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
TARGETS = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("predicted", [1, 0]),
        ("label", [0, 1]),
        ("runner-up", [2, 2]),
        ("cat", [0, 0]),
        ("dog", [1, 1]),
        ("1", [1, 1]),
        ("2", [2, 2]),
    ],
)
def test_a_rule_a_name_in_any_case_or_a_number_says_which(text: str, expected: list[int]) -> None:
    assert read_class(text, CLASSES, labelled=True)(CHANCES, TARGETS).tolist() == expected


@pytest.mark.parametrize(
    ("text", "labelled", "said"),
    [("cta", True, "did you mean 'cat'"), ("7", True, "no such class"), ("label", False, "have no labels")],
)
def test_what_is_not_there_is_refused_with_what_is(text: str, labelled: bool, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        read_class(text, CLASSES, labelled=labelled)
    assert str(refused.value.hint).startswith("--class")


def test_one_class_has_no_second() -> None:
    with pytest.raises(UsageError, match="knows one class alone"):
        read_class("runner-up", ("all",), labelled=True)
