"""What every file in configs/data must hold."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
import yaml

from dlcli.config.build import GIVEN
from dlcli.contracts import DataSource
from dlcli.errors import StorageError, UsageError

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "data").glob("*.yaml"))


def read(path: Path) -> tuple[type, dict]:
    values = yaml.safe_load(path.read_text())
    module, _, name = values.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name), values


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda path: path.stem)
def loaded(request):
    target, values = read(request.param)
    try:
        return target(**values).load()
    except (UsageError, StorageError) as error:
        if isinstance(error, StorageError) and not hasattr(target, "published"):
            raise
        pytest.skip(f"needs data that do not ship with dlcli: {error.message}")


def parts(loaded):
    """Those of train, val and test that there are: a table may have no val or test."""
    return [split for split in (loaded.train, loaded.val, loaded.test) if split is not None]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_data_config_lists_every_parameter_with_its_default_and_says_when_to_choose_it(path):
    target, values = read(path)
    assert issubclass(target, DataSource)
    parameters = inspect.signature(target).parameters
    defaults = {name: plain(parameter.default) for name, parameter in parameters.items() if name not in GIVEN["data"]}
    assert list(values) == list(defaults)
    # Where several files name one class, they differ in what makes them different sets.
    others = [own for other, own in map(read, CONFIGS) if other is target]
    shared = {name for name in values if all(own[name] == values[name] for own in others)}
    assert {name: values[name] for name in shared} == {name: defaults[name] for name in shared}
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) <= 92


def plain(default):
    return list(default) if isinstance(default, tuple) else default


def test_inputs_are_raw_float32_in_the_specs_shape(loaded):
    for split in parts(loaded):
        batch = next(split.batches(torch.arange(len(split)), 2000))
        assert batch.inputs.dtype == torch.float32
        assert tuple(batch.inputs.shape[1:]) == loaded.spec.shape
        if loaded.spec.kind == "image":
            assert 0 <= batch.inputs.min() < 0.1
            assert 0.9 < batch.inputs.max() <= 1


def test_targets_are_class_numbers_and_every_class_occurs_in_every_part(loaded):
    for split in parts(loaded):
        assert split.targets.dtype == torch.int64
        assert split.targets.unique().tolist() == list(range(len(loaded.spec.classes)))


def test_the_index_is_the_position_in_the_split(loaded):
    for split in parts(loaded):
        order = torch.arange(len(split)).flip(0)
        assert torch.equal(torch.cat([batch.index for batch in split.batches(order, 1000)]), order)


def test_no_val_or_test_example_is_in_train(loaded):
    if any("in train too" in note for note in loaded.notes):
        return  # the published set repeats itself, and the notes say so
    train, *others = [{row.tobytes() for row in all_inputs(split)} for split in parts(loaded)]
    assert not any(train & other for other in others)


def all_inputs(split):
    return torch.cat([batch.inputs.flatten(1) for batch in split.batches(torch.arange(len(split)), 5000)]).numpy()


def test_the_spec_survives_the_way_to_plain_data_and_back(loaded):
    assert type(loaded.spec).from_dict(loaded.spec.to_dict()) == loaded.spec


def test_the_default_radii_of_images_are_positive_for_both_norms(loaded):
    if loaded.spec.kind != "image":
        assert not loaded.spec.epsilon
        return
    assert set(loaded.spec.epsilon) == {"linf", "l2"}
    assert min(loaded.spec.epsilon.values()) > 0
