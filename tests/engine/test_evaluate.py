"""Forward passes over a split: every example once, in order, and the model comes back as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.data.memory import MemorySplit
from dlcli.engine.evaluate import evaluate, joined


def split(count: int = 10) -> MemorySplit:
    return MemorySplit(
        torch.arange(count, dtype=torch.float32)[:, None], torch.arange(count) % 2, index=torch.arange(count) + 100
    )


class Double(nn.Module):
    """Logits (x, 2x); notes the batches' sizes and its mode."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 2.0]]))
        self.sizes: list[int] = []
        self.modes: set[tuple[bool, bool]] = set()

    def forward(self, inputs: Tensor) -> Tensor:
        self.sizes.append(len(inputs))
        self.modes.add((self.training, torch.is_grad_enabled()))
        return inputs @ self.weight


@pytest.mark.parametrize("size", [1, 3, 10, 99])
def test_predictions_come_in_the_splits_order_whatever_the_batch_size(size: int) -> None:
    found = joined(evaluate(Double(), split(), batch_size=size))
    assert torch.equal(found.logits[:, 1], 2 * torch.arange(10.0))
    assert torch.equal(found.targets, torch.arange(10) % 2)
    assert torch.equal(found.index, torch.arange(10) + 100)
    assert found.logits.dtype == torch.float32


def test_the_model_is_in_evaluation_mode_without_gradients_and_comes_back_in_training_mode() -> None:
    model = Double()
    joined(evaluate(model, split(), batch_size=4))
    assert model.modes == {(False, False)}
    assert model.training
    assert model.weight.requires_grad


def test_a_suspended_evaluation_does_not_leave_its_caller_in_inference_mode() -> None:
    parts = evaluate(Double(), split(), batch_size=4)
    next(parts)
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_predictions_can_be_used_in_later_gradients() -> None:
    logits = joined(evaluate(Double(), split(), batch_size=99)).logits
    assert not logits.is_inference()


def test_the_check_comes_before_each_batch_and_may_stop() -> None:
    model, polls = Double(), []

    def check() -> None:
        polls.append(1)
        if len(polls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        joined(evaluate(model, split(), batch_size=2, check=check))
    assert model.sizes == [2, 2]
    assert model.training


def test_an_empty_split_has_no_predictions() -> None:
    with pytest.raises(ValueError, match="empty"):
        joined(evaluate(Double(), split(0), batch_size=2))
