import operator

import pytest

from dlcli.config.compose import compose
from dlcli.data.truth_table import TruthTable


@pytest.mark.parametrize(("gate", "function"), [("and", operator.and_), ("or", operator.or_), ("xor", operator.xor)])
def test_a_gates_table_is_the_gate(gate, function):
    bundle = TruthTable(gate=gate).load()
    rows = bundle.train.inputs.long().tolist()
    assert sorted(rows) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert bundle.train.targets.tolist() == [function(*row) for row in rows]


def test_the_table_is_all_there_is_and_nothing_is_standardised():
    bundle = TruthTable().load()
    assert (bundle.val, bundle.test) == (None, None)
    assert (bundle.spec.mean, bundle.spec.std, bundle.spec.kind) == ((0.0, 0.0), (1.0, 1.0), "table")


def test_an_unknown_gate_is_refused():
    with pytest.raises(ValueError, match="gate must be one of and, or, xor, got 'nand'"):
        TruthTable(gate="nand")


@pytest.mark.parametrize("gate", ["and", "or", "xor"])
def test_a_gate_is_chosen_by_its_name_on_the_command_line(gate):
    assert compose("train", [f"data={gate}"])["data"]["gate"] == gate
