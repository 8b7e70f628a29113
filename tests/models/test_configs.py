"""What every file in configs/model must hold."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from dlcli.classifier import Classifier
from dlcli.contracts import DataSpec

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "model").glob("*.yaml"))
SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8)]
pytestmark = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def read(path: Path) -> tuple[type, dict]:
    values = yaml.safe_load(path.read_text())
    module, _, name = values.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name), values


def spec(shape: tuple[int, ...], classes: int) -> DataSpec:
    names = tuple(str(number) for number in range(classes))
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.4,) * shape[0], std=(0.2,) * shape[0], epsilon={})


def build(path: Path, shape: tuple[int, ...] = SHAPES[0], classes: int = 10, **changes) -> nn.Module:
    target, values = read(path)
    return target(spec=spec(shape, classes), **{**values, **changes})


def test_a_model_config_lists_every_parameter_and_says_when_to_choose_it(path):
    target, values = read(path)
    assert issubclass(target, nn.Module)
    parameters = inspect.signature(target).parameters
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert list(values) == [name for name in parameters if name != "spec"]
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) <= 92


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("classes", "outputs", "expected"), [(2, None, 2), (10, None, 10), (2, 1, 1)])
def test_a_model_gives_finite_logits_of_the_right_shape(path, shape, classes, outputs, expected):
    logits = build(path, shape, classes, outputs=outputs)(torch.randn(4, *shape))
    assert logits.shape == (4, expected)
    assert logits.isfinite().all()


def test_a_model_is_repeated_by_the_seed_and_draws_from_torchs_generator_alone(path):
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(torch.cat([parameter.flatten() for parameter in build(path).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_every_parameter_gets_a_gradient(path):
    model = build(path)
    model(torch.randn(8, 1, 28, 28)).square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()] == []


def test_in_evaluation_an_examples_logits_do_not_depend_on_its_batch(path):
    model, inputs = build(path).eval(), torch.randn(6, 1, 28, 28)
    assert torch.allclose(model(inputs)[2:4], model(inputs[2:4]), atol=1e-5)


def test_a_model_loads_its_own_state_strictly(path):
    model, other = build(path).eval(), build(path).eval()
    other.load_state_dict(model.state_dict(), strict=True)
    inputs = torch.randn(3, 1, 28, 28)
    assert torch.equal(model(inputs), other(inputs))


def test_a_model_works_inside_a_classifier_on_raw_inputs(path):
    classifier = Classifier(spec((3, 32, 32), 10), build(path, (3, 32, 32))).eval()
    assert classifier(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_a_model_can_be_fitted_to_a_handful_of_examples(path):
    torch.manual_seed(0)
    model = build(path, (1, 8, 8), 2, outputs=1)
    inputs, targets = torch.randn(16, 1, 8, 8), torch.arange(16) % 2
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(inputs)[:, 0], targets.float()).backward()
        optimizer.step()
    assert ((model(inputs)[:, 0] > 0) == targets.bool()).all()
