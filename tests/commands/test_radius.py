"""``epsilon: auto`` becomes the data's own radius."""

from __future__ import annotations

import pytest

from dlcli.commands.radius import with_radius
from dlcli.contracts import DataSpec
from dlcli.errors import UsageError

SPEC = DataSpec(name="small", shape=(1, 8, 8), classes=("a", "b"), mean=(0.0,), std=(1.0,), epsilon={"linf": 0.3, "l2": 2.0})


@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.3), ("l2", 2.0)])
def test_auto_is_the_radius_of_the_data_for_the_norm(norm, radius):
    node = {"_target_": "x", "epsilon": "auto", "norm": norm}
    assert with_radius("attack", node, SPEC) == ({"_target_": "x", "epsilon": radius, "norm": norm}, "the default of small")
    assert node["epsilon"] == "auto"


@pytest.mark.parametrize("node", [{"epsilon": 0.1}, {"steps": 3}])
def test_a_number_and_no_radius_stay_as_they_are(node):
    assert with_radius("attack", node, SPEC) == (node, "as asked for")


def test_data_without_a_radius_ask_for_a_number():
    with pytest.raises(UsageError, match="small has no default epsilon for norm l1") as caught:
        with_radius("adversary", {"epsilon": "auto", "norm": "l1"}, SPEC)
    assert caught.value.hint == "adversary.epsilon=NUMBER"
