"""What every file in configs/data must hold."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
import yaml

from dlcli.contracts import DataSource

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "data").glob("*.yaml"))


def read(path: Path) -> tuple[type, dict]:
    values = yaml.safe_load(path.read_text())
    module, _, name = values.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name), values


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda path: path.stem)
def loaded(request):
    target, values = read(request.param)
    return target(**values).load()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_data_config_lists_every_parameter_with_its_default_and_says_when_to_choose_it(path):
    target, values = read(path)
    assert issubclass(target, DataSource)
    assert values == {name: parameter.default for name, parameter in inspect.signature(target).parameters.items()}
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) <= 92


def test_inputs_are_raw_float32_in_the_specs_shape(loaded):
    for split in (loaded.train, loaded.val, loaded.test):
        batch = next(split.batches(torch.arange(len(split)), 2000))
        assert batch.inputs.dtype == torch.float32
        assert tuple(batch.inputs.shape[1:]) == loaded.spec.shape
        if loaded.spec.kind == "image":
            assert 0 <= batch.inputs.min() < 0.1
            assert 0.9 < batch.inputs.max() <= 1


def test_targets_are_class_numbers_and_every_class_occurs_in_every_part(loaded):
    for split in (loaded.train, loaded.val, loaded.test):
        assert split.targets.dtype == torch.int64
        assert split.targets.unique().tolist() == list(range(len(loaded.spec.classes)))


def test_the_index_is_the_position_in_the_split(loaded):
    for split in (loaded.train, loaded.val, loaded.test):
        order = torch.arange(len(split)).flip(0)
        assert torch.equal(torch.cat([batch.index for batch in split.batches(order, 1000)]), order)


def test_no_val_or_test_example_is_in_train(loaded):
    train = {row.tobytes() for row in all_inputs(loaded.train)}
    assert not train & {row.tobytes() for row in all_inputs(loaded.val)}
    assert not train & {row.tobytes() for row in all_inputs(loaded.test)}


def all_inputs(split):
    return torch.cat([batch.inputs.flatten(1) for batch in split.batches(torch.arange(len(split)), 5000)]).numpy()


def test_the_spec_survives_the_way_to_plain_data_and_back(loaded):
    assert type(loaded.spec).from_dict(loaded.spec.to_dict()) == loaded.spec


def test_the_default_radii_are_positive_for_both_norms(loaded):
    assert set(loaded.spec.epsilon) == {"linf", "l2"}
    assert min(loaded.spec.epsilon.values()) > 0
