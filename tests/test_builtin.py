"""The shipped model: what it is, that it is the file we made, and that it is good."""

import hashlib
import inspect
from pathlib import Path

import pytest
import torch
import yaml

from dlcli.classifier import Classifier
from dlcli.commands.console import Talk
from dlcli.commands.models import ASSETS, load_model
from dlcli.data.mnist import MNIST
from dlcli.engine.evaluate import evaluate, joined
from dlcli.explainers.layers import spatial_layer
from dlcli.metrics.accuracy import accuracy
from dlcli.models.small_cnn import SmallCNN

SHA256 = "f7a3cf4136b5b06d38801f6ee30100fbfff1a9fd424191c30385f519e4368f6f"
CONFIGS = Path(__file__).resolve().parent.parent / "configs"


@pytest.fixture(scope="module")
def model() -> Classifier:
    return load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=Talk(quiet=True)).model


def test_the_shipped_weights_are_the_file_that_was_made() -> None:
    found = hashlib.sha256((ASSETS / "builtin" / "mnist" / "model.safetensors").read_bytes()).hexdigest()
    assert found == SHA256


def test_it_is_the_network_of_its_recipe_with_at_most_40_000_parameters(model: Classifier) -> None:
    experiment = yaml.safe_load((CONFIGS / "experiment" / "mnist_best.yaml").read_text())
    name = next(default["override /model"] for default in experiment["defaults"] if "override /model" in default)
    recipe = yaml.safe_load((CONFIGS / "model" / f"{name}.yaml").read_text())
    node = load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=Talk(quiet=True)).checkpoint.node
    # Parameters that came after the file was made stand at the defaults with which it was made.
    later = {name: value for name, value in recipe.items() if name not in node}
    assert dict(node) | later == recipe
    assert all(inspect.signature(SmallCNN).parameters[name].default == value for name, value in later.items())
    assert sum(parameter.numel() for parameter in model.parameters()) <= 40_000


def test_it_is_right_on_at_least_99_4_percent_of_the_test_images(model: Classifier) -> None:
    predictions = joined(evaluate(model, MNIST().load().test, batch_size=1000))
    assert accuracy(predictions).value >= 0.994


def test_its_last_convolution_has_maps_of_at_least_7_by_7(model: Classifier) -> None:
    name, layer = spatial_layer(model, torch.zeros(1, 1, 28, 28))
    shapes = []
    handle = layer.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape))
    model(torch.zeros(1, 1, 28, 28))
    handle.remove()
    assert min(shapes[0][2:]) >= 7, name
