"""Networks that hide their gradient: as right as before, and nothing to climb."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.classifier import Classifier, predicted_classes
from dlcli.contracts import DataSpec
from dlcli.models.disguise import disguised

SPEC = DataSpec(name="tiny", kind="image", shape=(1, 4, 4), classes=("a", "b", "c"), mean=(0.5,), std=(0.25,), epsilon={})


def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(SPEC, nn.Sequential(nn.Flatten(), nn.Linear(16, 3))).eval()


def images() -> Tensor:
    return torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def gradient(model: nn.Module) -> Tensor:
    leaf = images().requires_grad_()
    (slope,) = torch.autograd.grad(model(leaf).max(dim=1).values.sum(), leaf)
    return slope


@pytest.mark.parametrize("disguise", ["saturated", "quantised"])
def test_the_gradient_is_gone(disguise):
    model = classifier()
    model.net[1].weight.data *= 100  # as sure as trained networks are
    assert (gradient(disguised(model, disguise)) == 0).all()


def test_saturated_outputs_are_sure_of_the_same_classes():
    model, inputs = classifier(), images()
    outputs = disguised(model, "saturated")(inputs)
    assert torch.equal(predicted_classes(outputs), predicted_classes(model(inputs)))
    assert ((outputs == 0) | (outputs == 1)).float().mean() > 0.9


def test_a_quantised_input_answers_as_the_rounded_image_does():
    # Half a standard deviation of 0.25, from a mean of 0.5, is a multiple of 1/8.
    model, inputs = classifier(), images()
    rounded = (inputs * 8).round() / 8
    assert torch.allclose(disguised(model, "quantised")(inputs), model(rounded), atol=1e-5)


def test_a_randomised_network_answers_otherwise_each_time_and_on_average_as_before():
    model, inputs = classifier(), images()
    hiding = disguised(model, "randomised")
    torch.manual_seed(0)
    answers = torch.stack([hiding(inputs) for _ in range(2000)])
    assert not torch.equal(answers[0], answers[1])
    # An affine network's mean answer is that of the mean input; four standard errors of an output's spread, 0.5·|w|.
    spread = 0.5 * model.net[1].weight.norm(dim=1).max()
    assert (answers.mean(dim=0) - model(inputs)).abs().max() < 4 * spread / 2000**0.5


def test_the_model_itself_stays_as_it_is():
    model, inputs = classifier(), images()
    before = model(inputs)
    disguised(model, "quantised")
    assert torch.equal(model(inputs), before)


def test_an_unknown_disguise_is_refused():
    with pytest.raises(ValueError, match="one of saturated, quantised, randomised"):
        disguised(classifier(), "hat")  # type: ignore[arg-type]
