"""What every file in configs/augment must hold."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
import yaml

from dlcli.contracts import Augment, DataSpec
from dlcli.randomness import SampleKeys

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "augment").glob("*.yaml"))
GIVEN = {
    "spec": DataSpec(
        name="noise", shape=(1, 12, 12), classes=("a", "b"), mean=(0.5,), std=(0.3,), epsilon={"linf": 0.1, "l2": 1.0}
    )
}
pytestmark = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def read(path: Path) -> tuple[type, dict]:
    values = yaml.safe_load(path.read_text())
    module, _, name = values.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name), values


def build(path: Path) -> Augment:
    target, values = read(path)
    wanted = inspect.signature(target).parameters
    return target(**values, **{name: value for name, value in GIVEN.items() if name in wanted})


def test_an_augment_config_lists_every_parameter_with_its_default_and_says_when_to_choose_it(path):
    target, values = read(path)
    assert issubclass(target, Augment)
    parameters = inspect.signature(target).parameters.items()
    assert values == {name: parameter.default for name, parameter in parameters if name not in GIVEN}
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) <= 92


def test_an_augment_keeps_shape_type_and_range_and_leaves_its_inputs_alone(path):
    inputs = torch.rand(16, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    before = inputs.clone()
    result = build(path)(inputs, rng=SampleKeys(0, torch.arange(16)), step=4)
    assert torch.equal(inputs, before)
    assert (result.shape, result.dtype) == (inputs.shape, inputs.dtype)
    assert result.min() >= 0
    assert result.max() <= 1


def test_an_augment_gives_an_example_the_same_in_any_batch_whatever_torch_drew_before(path):
    inputs, rng, augment = torch.rand(16, 1, 12, 12), SampleKeys(2, torch.arange(16)), build(path)
    whole = augment(inputs, rng=rng, step=4)
    rows = torch.tensor([9, 0, 5])
    torch.rand(3)
    assert torch.equal(augment(inputs[rows], rng=rng.take(rows), step=4), whole[rows])
