from dataclasses import replace

import pytest
import torch

from dlcli.classifier import predicted_classes
from dlcli.contracts import Column, DataSpec
from dlcli.models.heads import head_name
from dlcli.models.perceptron import Perceptron


def spec(classes: int, *shape: int) -> DataSpec:
    names = tuple(str(number) for number in range(classes))
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * shape[0], std=(1.0,) * shape[0], epsilon={})


CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def rosenblatt(model: Perceptron, targets: torch.Tensor, epochs: int) -> int:
    """Rosenblatt's rule by hand, one example at a time; returns the mistakes of the last epoch."""
    mistakes = 0
    for _ in range(epochs):
        mistakes = 0
        for inputs, target in zip(CORNERS, targets, strict=True):
            error = target - predicted_classes(model(inputs[None]))[0]
            model.head.weight.data += error * inputs
            model.head.bias.data += error
            mistakes += int(error != 0)
    return mistakes


def test_it_is_one_neuron_that_starts_at_zero():
    model = Perceptron(spec=spec(2, 5))
    assert model.head.weight.shape == (1, 5)
    assert not model.head.weight.any()
    assert not model.head.bias.any()


def test_the_predicted_class_is_the_hard_threshold_of_its_logit():
    model, inputs = Perceptron(spec=spec(2, 2)), torch.tensor([[0.5, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 9.0]])
    model.head.weight.data = torch.tensor([[1.0, 0.0]])
    model.head.bias.data = torch.tensor([-1.0])
    assert model(inputs)[:, 0].tolist() == [-0.5, 1.0, 0.0, 0.0]
    assert predicted_classes(model(inputs)).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(("gate", "targets"), [("and", [0, 0, 0, 1]), ("or", [0, 1, 1, 1])])
def test_rosenblatts_rule_learns_and_and_or(gate, targets):
    assert rosenblatt(Perceptron(spec=spec(2, 2)), torch.tensor(targets), epochs=10) == 0


def test_rosenblatts_rule_never_learns_xor():
    assert rosenblatt(Perceptron(spec=spec(2, 2)), torch.tensor([0, 1, 1, 0]), epochs=200) > 0


def test_a_tables_categories_are_inputs_of_0_or_1():
    columns = (Column(name="age"), Column(name="eyes", categories=("blue", "brown", "green")))
    model = Perceptron(spec=replace(spec(2, 2), columns=columns))
    model.head.weight.data = torch.tensor([[1.0, 10.0, 20.0, 30.0]])
    assert model(torch.tensor([[0.5, 2.0], [0.5, 0.0]]))[:, 0].tolist() == [20.5, 0.5]


def test_more_classes_get_one_neuron_each():
    assert Perceptron(spec=spec(10, 1, 28, 28))(torch.randn(3, 1, 28, 28)).shape == (3, 10)


def test_two_classes_may_have_two_neurons():
    assert Perceptron(spec=spec(2, 4), outputs=2).head.out_features == 2


def test_the_head_is_the_linear_layer_named_head():
    assert head_name(Perceptron(spec=spec(2, 4))) == "head"


def test_a_number_of_neurons_that_does_not_fit_the_classes_is_refused():
    with pytest.raises(ValueError, match=r"^outputs must be 2 .*, got 3"):
        Perceptron(spec=spec(2, 4), outputs=3)
