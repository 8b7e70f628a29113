"""Rosenblatt's criterion: plain SGD on it is Rosenblatt's rule, step by step."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from torch import Tensor, nn

from dlcli.augment.identity import Identity
from dlcli.config.build import build
from dlcli.config.compose import compose
from dlcli.data.memory import MemorySplit
from dlcli.engine.fit import fit
from dlcli.engine.state import Parts, Plan, Progress
from dlcli.errors import UsageError
from dlcli.losses.perceptron import Perceptron
from dlcli.losses.supervised import Supervised
from dlcli.optim.groups import parameter_groups
from dlcli.optim.schedules import Constant
from dlcli.randomness import permutation

CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TABLES = {"and": torch.tensor([0, 0, 0, 1]), "or": torch.tensor([0, 1, 1, 1]), "xor": torch.tensor([0, 1, 1, 0])}


def neuron(inputs: int = 2) -> tuple[nn.Linear, torch.optim.Optimizer]:
    layer = nn.Linear(inputs, 1)
    nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
    return layer, torch.optim.SGD(layer.parameters(), lr=1.0)


def step(layer: nn.Linear, optimizer: torch.optim.Optimizer, example: Tensor, target: Tensor) -> None:
    optimizer.zero_grad()
    Perceptron()(layer(example[None]), target[None]).backward()
    optimizer.step()


def taught(targets: Tensor, *, epochs: int) -> list[float]:
    """The accuracy after each epoch over the corners of the square, one example at a time."""
    layer, optimizer = neuron()
    accuracies = []
    for _ in range(epochs):
        for example, target in zip(CORNERS, targets, strict=True):
            step(layer, optimizer, example, target)
        accuracies.append(float(((layer(CORNERS)[:, 0] > 0) == (targets == 1)).float().mean()))
    return accuracies


def test_plain_descent_is_rosenblatts_rule_at_every_step() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(200, 5, generator=generator), torch.randint(2, (200,), generator=generator)
    layer, optimizer = neuron(5)
    weights, bias, updates = torch.zeros(5), torch.zeros(1), 0
    for x, y in zip(inputs, targets, strict=True):
        step(layer, optimizer, x, y)
        fires = int(weights @ x + bias > 0)
        if fires != y:
            sign = 1 if y == 1 else -1
            weights, bias, updates = weights + sign * x, bias + sign, updates + 1
        assert torch.equal(layer.weight[0], weights)
        assert torch.equal(layer.bias, bias)
    assert 50 < updates < 150


@pytest.mark.parametrize("table", ["and", "or"])
def test_what_a_line_separates_is_learned_and_stays_learned(table: str) -> None:
    accuracies = taught(TABLES[table], epochs=20)
    assert set(accuracies[10:]) == {1.0}


def test_what_no_line_separates_is_never_learned() -> None:
    accuracies = taught(TABLES["xor"], epochs=200)
    assert max(accuracies) <= 0.75


def test_novikoffs_bound_on_the_number_of_mistakes_holds() -> None:
    generator = torch.Generator().manual_seed(1)
    direction = torch.tensor([0.6, -0.8, 0.0])  # of length 1, with the bias as the third coordinate
    inputs = torch.randn(400, 2, generator=generator)
    extended = torch.cat([inputs, torch.ones(400, 1)], dim=1)
    lead = extended @ direction
    inputs, extended, lead = inputs[lead.abs() > 0.2], extended[lead.abs() > 0.2], lead[lead.abs() > 0.2]
    targets = (lead > 0).long()
    layer, optimizer = neuron()
    mistakes = 0
    for _ in range(50):
        before = mistakes
        for x, y in zip(inputs, targets, strict=True):
            mistakes += int((layer(x[None]) > 0).item() != bool(y))
            step(layer, optimizer, x, y)
        if mistakes == before:
            break
    assert mistakes == before
    assert 0 < mistakes <= float(extended.norm(dim=1).max() / lead.abs().min()) ** 2


@pytest.mark.parametrize("table", TABLES)
def test_the_training_loop_with_sgd_plain_is_rosenblatts_rule(table: str) -> None:
    model = nn.Linear(2, 1)
    nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
    optimizer = build("optimizer", compose("train", ["optimizer=sgd_plain"])["optimizer"], params=parameter_groups(model))
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    trainer = compose("train", ["experiment=perceptron", "trainer.epochs=7"])["trainer"]
    names = {field.name for field in fields(Plan)}
    plan = Plan(seed=3, **{name: value for name, value in trainer.items() if name in names})
    parts = Parts(
        model=model,
        forward=model,
        train=MemorySplit(CORNERS, TABLES[table]),
        val=None,
        augment=Identity(),
        objective=Supervised(Perceptron()),
        optimizer=optimizer,
        schedule=Constant(total_steps=28),
        score=lambda _: {},
        device=torch.device("cpu"),
    )
    list(fit(parts, plan, Progress()))
    weights, bias = torch.zeros(2), torch.zeros(1)
    for row in torch.cat([permutation(3, epoch, 4) for epoch in range(7)]):
        x, y = CORNERS[row], int(TABLES[table][row])
        error = y - int(weights @ x + bias > 0)
        weights, bias = weights + error * x, bias + error
    assert torch.equal(model.weight[0], weights)
    assert torch.equal(model.bias, bias)


def test_only_mistakes_cost_their_distance_and_zero_is_a_mistake_for_a_one() -> None:
    logits = torch.tensor([[2.0], [-3.0], [0.5], [-0.25], [0.0], [0.0]], requires_grad=True)
    each = Perceptron(reduction="none")(logits, torch.tensor([1, 0, 0, 1, 1, 0]))
    assert each.tolist() == [0.0, 0.0, 0.5, 0.25, 0.0, 0.0]
    each.sum().backward()
    assert logits.grad is not None
    assert logits.grad[:, 0].tolist() == [0.0, 0.0, 1.0, -1.0, -1.0, 0.0]


def test_the_mean_is_over_all_examples() -> None:
    logits = torch.tensor([[2.0], [-3.0], [0.5], [-0.25]])
    assert math.isclose(Perceptron()(logits, torch.tensor([1, 0, 0, 1])).item(), 0.75 / 4)


def test_of_several_classes_the_one_that_answers_loses_what_the_true_one_gains() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]], requires_grad=True)
    each = Perceptron(reduction="none")(logits, torch.tensor([2, 2, 1]))
    assert each.tolist() == [1.0, 0.0, 0.0]
    each.sum().backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0.0, 1.0, -1.0], [0.0, 0.0, 0.0], [1.0, -1.0, 0.0]]


def test_shares_of_classes_are_refused() -> None:
    with pytest.raises(UsageError, match="one class per example"):
        Perceptron()(torch.zeros(2, 1), torch.tensor([[0.5, 0.5], [1.0, 0.0]]))


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'none', got 'sum'"):
        Perceptron(reduction="sum")
