"""What every file in configs/augment must hold."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
import yaml

from dlcli.contracts import Augment, Batch, DataSpec
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


def defaults(target: type) -> dict:
    return {name: parameter.default for name, parameter in inspect.signature(target).parameters.items()}


def build(path: Path) -> Augment:
    target, values = read(path)
    wanted = inspect.signature(target).parameters
    return target(**values, **{name: value for name, value in GIVEN.items() if name in wanted})


def test_an_augment_config_lists_every_parameter_and_says_when_to_choose_it(path):
    target, values = read(path)
    assert issubclass(target, Augment)
    assert list(values) == [name for name in defaults(target) if name not in GIVEN]
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) <= 92


def test_a_config_holds_the_defaults_of_its_class_or_is_a_preset_that_differs_from_them_and_from_other_presets(path):
    target, values = read(path)
    own = {name: value for name, value in defaults(target).items() if name not in GIVEN}
    same = [other.stem for other in CONFIGS if read(other) == (target, values)]
    assert same == [path.stem]
    if path.stem == target.__module__.rpartition(".")[2] or sum(read(other)[0] is target for other in CONFIGS) == 1:
        assert values == own
    assert {name: type(value) for name, value in values.items()} == {name: type(value) for name, value in own.items()}


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


def test_a_whole_batch_keeps_its_examples_and_every_target_its_sum_of_one(path):
    inputs = torch.rand(16, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    batch = Batch(inputs, torch.arange(16) % 2, torch.arange(16) + 50)
    result = build(path).batch(batch, rng=SampleKeys(0, batch.index), step=4)
    assert torch.equal(result.index, batch.index)
    assert result.inputs.shape == inputs.shape
    assert result.inputs.min() >= 0 and result.inputs.max() <= 1
    if result.targets.ndim == 1:
        assert torch.equal(result.targets, batch.targets)
    else:
        assert (result.targets.shape, result.targets.dtype) == ((16, 2), torch.float32)
        torch.testing.assert_close(result.targets.sum(dim=1), torch.ones(16))
