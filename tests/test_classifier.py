"""Preprocessing inside the model, what logits mean, and models that come back as they were lent."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from dlcli.classifier import Classifier, Preprocessing, ask, borrowed, class_logits, predicted_classes, probabilities
from dlcli.contracts import DataSpec

SPEC = DataSpec(name="toy", shape=(1, 4, 4), classes=("a", "b"), mean=(0.25,), std=(0.5,), epsilon={"linf": 0.3})


class Seen(nn.Module):
    """Keeps what it was given."""

    def forward(self, inputs: Tensor) -> Tensor:
        self.inputs = inputs
        return inputs.flatten(1)[:, :2]


def test_a_classifier_standardises_raw_inputs() -> None:
    net = Seen()
    Classifier(SPEC, net)(torch.full((2, 1, 4, 4), 0.75))
    assert torch.equal(net.inputs, torch.ones(2, 1, 4, 4))  # (0.75 - 0.25) / 0.5


def test_a_classifier_of_tables_standardises_each_column() -> None:
    spec = DataSpec(name="t", shape=(2,), classes=("a", "b"), mean=(1.0, 2.0), std=(2.0, 4.0), kind="table", epsilon={})
    net = Seen()
    Classifier(spec, net)(torch.tensor([[3.0, 10.0]]))
    assert torch.equal(net.inputs, torch.tensor([[1.0, 2.0]]))


def test_a_classifier_resizes_and_repeats_the_channel_where_its_network_wants_more() -> None:
    net = Seen()
    Classifier(SPEC, net, preprocessing=Preprocessing((3, 8, 8), (0.0,) * 3, (1.0,) * 3))(torch.full((2, 1, 4, 4), 0.5))
    assert net.inputs.shape == (2, 3, 8, 8)
    torch.testing.assert_close(net.inputs, torch.full((2, 3, 8, 8), 0.5))


def test_mean_and_std_are_no_part_of_the_weights() -> None:
    assert list(Classifier(SPEC, nn.Linear(2, 2)).state_dict()) == ["net.weight", "net.bias"]


def test_one_binary_logit_gives_the_sigmoid_as_the_probability_of_the_second_class() -> None:
    logits = torch.tensor([[-3.0], [0.5]])
    torch.testing.assert_close(probabilities(logits)[:, 1], torch.sigmoid(logits[:, 0]))
    assert predicted_classes(logits).tolist() == [0, 1]


def test_several_logits_stay_as_they_are() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    assert class_logits(logits) is logits
    torch.testing.assert_close(probabilities(logits), logits.softmax(dim=1))


def test_a_borrowed_model_comes_back_as_it_was_also_after_an_exception() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    model[1].eval()
    model[0].bias.requires_grad_(False)
    model[0].weight.grad = gradient = torch.ones(2, 2)
    with pytest.raises(KeyError), borrowed(model):
        assert not any(module.training for module in model.modules())
        assert not any(parameter.requires_grad for parameter in model.parameters())
        model(torch.rand(4, 2))
        model[0].weight.grad = None
        raise KeyError
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert [parameter.requires_grad for parameter in model.parameters()] == [True, False, True, True]
    assert model[0].weight.grad is gradient
    assert model[1].num_batches_tracked == 0


def test_what_is_missing_in_a_table_becomes_the_mean_and_the_unknown_category() -> None:
    spec = DataSpec(name="t", shape=(2,), classes=("a", "b"), mean=(1.0, 0.0), std=(2.0, 1.0), kind="table", epsilon={})
    net = Seen()
    Classifier(spec, net)(torch.tensor([[math.nan, 3.0], [5.0, math.nan]]))
    assert torch.equal(net.inputs, torch.tensor([[0.0, 3.0], [2.0, 0.0]]))


def test_a_number_that_is_infinite_is_not_hidden() -> None:
    spec = DataSpec(name="t", shape=(1,), classes=("a", "b"), mean=(1.0,), std=(2.0,), kind="table", epsilon={})
    net = Seen()
    Classifier(spec, net)(torch.tensor([[math.inf]]))
    assert net.inputs.isinf().all()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("height", "width"), [(40, 70), (71, 33), (16, 16)])
def test_published_preprocessing_is_that_of_torchvision(interpolation: str, height: int, width: int) -> None:
    transforms = ImageClassification(
        crop_size=16, resize_size=20, mean=(0.4,) * 3, std=(0.2,) * 3, interpolation=InterpolationMode(interpolation)
    )
    # Smooth, so that bicubic weights do not leave [0, 1] and nothing is clamped.
    images = torch.linspace(0.2, 0.8, width).expand(1, 3, height, width) * torch.linspace(0.5, 1, height)[:, None]
    net = Seen()
    own = Preprocessing((3, 16, 16), (0.4,) * 3, (0.2,) * 3, resize=20, interpolation=interpolation)
    Classifier(replace(SPEC, shape=(3, 20, 20)), net, preprocessing=own)(images)
    torch.testing.assert_close(net.inputs, transforms(images), rtol=1e-4, atol=1e-5)


def test_bicubic_edges_stay_in_the_range_of_images() -> None:
    images = torch.zeros(1, 1, 9, 9)
    images[..., 4:] = 1
    fitted = Preprocessing((1, 16, 16), (0.0,), (1.0,), resize=16, interpolation="bicubic").fit(images)
    assert (float(fitted.min()), float(fitted.max())) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"interpolation": "nearest"}, "interpolation must be one of"), ({"resize": 15}, "resize must be at least")],
)
def test_an_impossible_preprocessing_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Preprocessing((3, 16, 16), (0.0,) * 3, (1.0,) * 3, **change)


def test_a_model_that_answers_by_example_is_told_which_ones_it_is_asked_about():
    class ByExample(torch.nn.Module):
        by_example = True

        def forward(self, inputs, index):
            return inputs + index[:, None]

    inputs, index = torch.zeros(2, 1), torch.tensor([5, 7])
    assert ask(ByExample(), inputs, index).flatten().tolist() == [5, 7]
    assert ask(torch.nn.Identity(), inputs, index).equal(inputs)
