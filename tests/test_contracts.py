"""What the rooms agree on: specs that travel, metrics and keys."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor

from dlcli.contracts import Augment, Batch, Column, DataSpec, Metric, keys_or_default
from dlcli.randomness import SampleKeys

SPEC = DataSpec(name="toy", shape=(1, 4, 4), classes=("a", "b"), mean=(0.25,), std=(0.5,), epsilon={"linf": 0.3})


def test_a_spec_survives_json() -> None:
    assert DataSpec.from_dict(json.loads(json.dumps(SPEC.to_dict()))) == SPEC


@pytest.mark.parametrize("missing", ["name", "shape", "classes", "mean", "std", "kind", "epsilon"])
def test_a_spec_with_a_key_missing_is_refused(missing: str) -> None:
    values = SPEC.to_dict()
    del values[missing]
    with pytest.raises(KeyError, match=missing):
        DataSpec.from_dict(values)


def test_numbers_that_are_not_finite_become_null() -> None:
    assert Metric(math.nan, low=-math.inf, high=math.inf, n=3, method="t").to_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 3,
        "method": "t",
    }


def test_keys_default_to_each_row_position() -> None:
    keys = keys_or_default(None, torch.zeros(3, 2))
    assert (keys.seed, keys.index.tolist()) == (0, [0, 1, 2])
    own = SampleKeys(5, torch.tensor([9]))
    assert keys_or_default(own, torch.zeros(1)) is own


TABLE = DataSpec(
    name="people",
    shape=(2,),
    classes=("no", "yes"),
    mean=(40.0, 0.0),
    std=(9.0, 1.0),
    kind="table",
    epsilon={},
    columns=(Column(name="age", low=18.0, high=60.0), Column(name="travel", categories=("rarely", "often"))),
)


def test_a_spec_of_a_table_keeps_its_columns() -> None:
    assert DataSpec.from_dict(json.loads(json.dumps(TABLE.to_dict()))) == TABLE


def test_a_spec_of_images_says_nothing_of_columns() -> None:
    assert "columns" not in SPEC.to_dict()


def test_an_augment_changes_the_inputs_of_a_batch_and_nothing_else() -> None:
    class Darker(Augment):
        def __call__(self, inputs: Tensor, *, rng: SampleKeys, step: int) -> Tensor:
            return inputs / 2

    batch = Batch(torch.ones(2, 1, 4, 4), torch.tensor([0, 1]), torch.tensor([5, 7]))
    result = Darker().batch(batch, rng=SampleKeys(0, batch.index), step=0)
    assert torch.equal(result.inputs, torch.full((2, 1, 4, 4), 0.5))
    assert result.targets is batch.targets
    assert result.index is batch.index
