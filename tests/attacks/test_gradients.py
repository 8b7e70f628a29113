"""What an attack sees of a model, against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.examples import Examples
from dlcli.attacks.gradients import first_look, look
from dlcli.attacks.losses import log_odds
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys

INPUTS = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
CLASSES = torch.tensor([0, 2, 1])


def linear(classes: int = 3) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, classes)


def examples(inputs: Tensor = INPUTS, targets: Tensor = CLASSES, goals: Tensor | None = None) -> Examples:
    return Examples(inputs=inputs, targets=targets, goals=goals, keys=SampleKeys(0, torch.arange(len(inputs))))


def gradient(model: nn.Module, inputs: Tensor = INPUTS, targets: Tensor = CLASSES) -> Tensor:
    return look(model, inputs, examples(inputs, targets), log_odds).gradient


def test_for_a_linear_model_the_gradient_is_the_weights_of_the_wrong_classes_by_their_share_less_those_of_the_true_one() -> None:
    model = linear()
    truth = nn.functional.one_hot(CLASSES, 3)
    shares = model(INPUTS).masked_fill(truth.bool(), -torch.inf).softmax(dim=1)
    assert torch.allclose(gradient(model), (shares - truth) @ model.weight, atol=1e-6)


def test_for_one_binary_logit_the_gradient_is_the_weights_with_the_sign_of_the_wrong_class() -> None:
    model, targets = linear(1), torch.tensor([0, 1, 1])
    assert torch.allclose(gradient(model, targets=targets), (1 - 2 * targets[:, None]) * model.weight, atol=1e-6)


def test_an_example_has_the_same_gradient_alone_and_in_a_batch() -> None:
    assert torch.allclose(gradient(linear(), INPUTS[1:2], CLASSES[1:2]), gradient(linear())[1:2], atol=1e-7)


def test_logits_and_values_are_the_same_with_and_without_a_gradient() -> None:
    with_gradient = look(linear(), INPUTS, examples(), log_odds)
    with torch.no_grad():
        without = look(linear(), INPUTS, examples(), log_odds, gradient=False)
    assert torch.equal(with_gradient.logits, without.logits)
    assert torch.equal(with_gradient.values, without.values)
    assert without.gradient.numel() == 0


def test_it_is_the_same_where_gradients_are_off() -> None:
    expected = gradient(linear())
    with torch.no_grad():
        assert torch.equal(gradient(linear()), expected)


@pytest.mark.parametrize("wanted", [False, True])
def test_a_model_that_writes_into_its_input_changes_nothing_of_the_callers(wanted: bool) -> None:
    model, inputs = nn.Sequential(nn.ReLU(inplace=True), linear()), INPUTS - 0.5
    before = inputs.clone()
    seen = look(model, inputs, examples(inputs), log_odds, gradient=wanted)
    assert torch.equal(inputs, before)
    assert not wanted or torch.equal(seen.gradient == 0, before <= 0)


def test_a_model_that_ignores_its_input_has_no_gradient() -> None:
    class Deaf(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.ones(len(inputs), 3)

    assert torch.equal(gradient(Deaf()), torch.zeros(3, 4))


@pytest.mark.parametrize(("name", "classes"), [("targets", [0, 3, 1]), ("targets", [0, -1, 1]), ("goals", [0, 3, 1])])
def test_a_class_that_the_model_does_not_have_is_refused(name: str, classes: list[int]) -> None:
    given = examples(**{name: torch.tensor(classes)})
    with pytest.raises(ValueError, match=f"{name} must be class numbers from 0 to 2, got {min(classes)} … {max(classes)}"):
        first_look(linear(), given, log_odds)


def test_logits_that_are_not_finite_are_refused() -> None:
    model = linear()
    nn.init.constant_(model.bias, float("inf"))
    with pytest.raises(ComputeError, match="not finite"):
        first_look(model, examples(), log_odds)


def test_a_gradient_that_is_no_number_is_refused_and_never_passes_for_robustness() -> None:
    class Root(nn.Module):
        """The slope at 0 is 0 times infinity."""

        def __init__(self) -> None:
            super().__init__()
            self.head = linear()

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(inputs.square().sqrt())

    model = Root()
    assert model(torch.zeros(3, 4)).isfinite().all()
    with pytest.raises(ComputeError, match="gradient of the model's outputs is not a number"):
        look(model, torch.zeros(3, 4), examples(torch.zeros(3, 4)), log_odds)
