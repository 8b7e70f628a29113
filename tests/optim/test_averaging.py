"""The running average of the weights, against its recurrence."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.errors import DataError
from dlcli.optim.averaging import WeightAverage


def fill(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


def snapshot(average: WeightAverage) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in average.tensors().items()}


def test_an_update_moves_by_one_minus_the_decay() -> None:
    model = nn.Linear(2, 2)
    fill(model, 0.0)
    average = WeightAverage(model, decay=0.75)
    fill(model, 1.0)
    average.update(model, 10_000)
    assert torch.equal(average.tensors()["weight"], torch.full((2, 2), 0.25))


@pytest.mark.parametrize("step", [0, 1, 50])
def test_early_updates_keep_less(step: int) -> None:
    model = nn.Linear(2, 2)
    fill(model, 0.0)
    average = WeightAverage(model, decay=0.9999)
    fill(model, 1.0)
    average.update(model, step)
    kept = (1 + step) / (10 + step)
    assert average.tensors()["bias"].tolist() == pytest.approx([1 - kept] * 2, rel=1e-6)


def test_the_average_of_a_constant_is_that_constant() -> None:
    model = nn.Linear(3, 2)
    average = WeightAverage(model)
    for step in range(20):
        average.update(model, step)
    assert torch.equal(average.tensors()["weight"], model.weight)


def test_statistics_are_averaged_and_counters_are_copied() -> None:
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, decay=0.5)
    model(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    average.update(model, 1000)
    assert torch.allclose(average.tensors()["running_mean"], model.running_mean / 2)
    assert average.tensors()["num_batches_tracked"].item() == 1


def test_a_half_precision_model_is_averaged_in_float32() -> None:
    model = nn.Linear(1, 1, bias=False).to(torch.bfloat16)
    fill(model, 1.0)
    average = WeightAverage(model, decay=0.999)
    fill(model, 2.0)
    average.update(model, 100_000)
    assert average.tensors()["weight"].item() == pytest.approx(1.001, abs=1e-6)


def test_training_on_does_not_change_the_average() -> None:
    model = nn.Linear(2, 2)
    average = WeightAverage(model)
    before = snapshot(average)
    fill(model, 9.0)
    assert torch.equal(average.tensors()["weight"], before["weight"])


def test_a_loaded_average_goes_on_bit_for_bit() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    straight, resumed = WeightAverage(model), WeightAverage(model)
    fill(model, 0.3)
    straight.update(model, 0)
    resumed.load(snapshot(straight))
    fill(model, -0.7)
    straight.update(model, 1)
    resumed.update(model, 1)
    assert all(torch.equal(tensor, resumed.tensors()[name]) for name, tensor in straight.tensors().items())


def test_a_model_takes_the_average_as_its_state() -> None:
    model = nn.BatchNorm2d(2)
    assert model.load_state_dict(WeightAverage(model).tensors()).missing_keys == []


def test_an_average_of_another_model_is_refused_and_nothing_changes() -> None:
    average = WeightAverage(nn.Linear(2, 2))
    before = snapshot(average)
    with pytest.raises(DataError, match="'bias' is on one side only"):
        average.load({"weight": torch.zeros(2, 2)})
    with pytest.raises(DataError, match=r"'bias' must be \(2,\), got \(3,\)"):
        average.load({"weight": torch.zeros(2, 2), "bias": torch.zeros(3)})
    assert all(torch.equal(tensor, before[name]) for name, tensor in average.tensors().items())


def test_a_decay_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"decay must be in \[0, 1\), got 1.0"):
        WeightAverage(nn.Linear(1, 1), decay=1.0)
