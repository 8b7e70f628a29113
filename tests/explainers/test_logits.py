"""The number that a map explains."""

from __future__ import annotations

import pytest
import torch

from dlcli.explainers.logits import target_logits


def test_it_is_the_logit_of_the_class() -> None:
    assert target_logits(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), torch.tensor([2, 0])).tolist() == [3.0, 4.0]


def test_one_binary_logit_speaks_for_class_one_and_its_negative_for_class_zero() -> None:
    assert target_logits(torch.tensor([[2.0], [2.0]]), torch.tensor([1, 0])).tolist() == [2.0, -2.0]


def test_one_class_for_two_examples_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one class per example, shape \(2,\), got \(1,\)"):
        target_logits(torch.zeros(2, 3), torch.tensor([1]))
