"""A digest changes with whatever would make a split or a code mean something else."""

from __future__ import annotations

from dataclasses import replace

import torch

from dlcli.contracts import Column, DataBundle, DataSpec
from dlcli.data.digest import digest_of
from dlcli.data.memory import MemorySplit

SPEC = DataSpec(
    name="t", shape=(1,), classes=("a", "b"), mean=(0.0,), std=(1.0,), kind="table", epsilon={}, columns=(Column(name="x"),)
)


def bundle(values: list[float], targets: list[int], *, kind: str = "table") -> DataBundle:
    split = MemorySplit(torch.tensor(values)[:, None], torch.tensor(targets))
    return DataBundle(replace(SPEC, kind=kind), split, None, split)


def test_the_same_data_have_the_same_digest():
    assert digest_of(bundle([1.0, 2.0], [0, 1])) == digest_of(bundle([1.0, 2.0], [0, 1]))


def test_rows_in_another_order_other_values_and_other_targets_have_another():
    digests = {
        digest_of(bundle(values, targets))
        for values, targets in (
            ([1.0, 2.0], [0, 1]),
            ([2.0, 1.0], [0, 1]),
            ([1.0, 2.0], [1, 0]),
            ([1.0, 2.5], [0, 1]),
        )
    }
    assert len(digests) == 4


def test_a_part_that_went_elsewhere_is_noticed():
    whole = bundle([1.0, 2.0], [0, 1])
    assert digest_of(whole) != digest_of(replace(whole, val=whole.test, test=None))


def test_pixels_do_not_count():
    assert digest_of(bundle([1.0, 2.0], [0, 1], kind="image")) == digest_of(bundle([1.0, 9.0], [0, 1], kind="image"))


def test_a_renamed_category_has_another_digest_also_with_the_same_codes():
    columns = [(Column(name="city", categories=(city,)),) for city in ("Ulm", "Bonn")]
    one, other = (replace(bundle([1.0], [0]), spec=replace(SPEC, columns=own)) for own in columns)
    assert digest_of(one) != digest_of(other)
