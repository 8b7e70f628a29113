import math

import pytest

from dlcli.contracts import Metric
from dlcli.errors import UsageError
from dlcli.metrics.gates import Gate, check_gates, parse_gates, violations

METRICS = {"fairness/dp_difference": Metric(0.2, 0.1, 0.3), "test/accuracy": Metric(0.9), "test/auroc": Metric(math.nan)}


def test_gates_are_read_with_their_operators():
    found = parse_gates("fairness/dp_difference>0.1, test/accuracy <= .5,a>=-1e-2,b<2")
    expected = [("fairness/dp_difference", ">", 0.1), ("test/accuracy", "<=", 0.5), ("a", ">=", -0.01), ("b", "<", 2)]
    assert [(gate.name, gate.operator, gate.bound) for gate in found] == expected


@pytest.mark.parametrize("text", ["", "a", "a=1", "a==1", "a>", "a>x", "a>nan", "a>inf", ">1", "a>1,", "a>1>2", "a=>1", "a<>1"])
def test_what_is_no_gate_is_refused(text):
    with pytest.raises(UsageError, match="--fail-on") as error:
        parse_gates(text)
    assert error.value.code == 2


def test_a_mistyped_metric_gets_a_suggestion():
    with pytest.raises(UsageError, match="did you mean 'test/accuracy'"):
        check_gates(parse_gates("test/acuracy<1"), METRICS)
    with pytest.raises(UsageError) as error:
        check_gates(parse_gates("fairness/Gender/dp>1"), ["loss"])
    assert "--groups" in str(error.value.hint)
    check_gates(parse_gates("test/accuracy<1"), METRICS)


@pytest.mark.parametrize(
    ("text", "trips"), [("0.2>0.1", 1), ("0.2>0.2", 0), ("0.2>=0.2", 1), ("0.2<0.2", 0), ("0.2<=0.2", 1), ("0.2<0.3", 1)]
)
def test_a_gate_trips_where_its_comparison_holds(text, trips):
    assert len(violations(parse_gates(text.replace("0.2", "fairness/dp_difference", 1)), METRICS)) == trips


def test_a_line_names_metric_value_interval_and_bound():
    (line,) = violations([Gate("fairness/dp_difference", ">", 0.1)], METRICS)
    assert line == "fairness/dp_difference>0.1: fairness/dp_difference is 0.2 [0.1, 0.3]"


@pytest.mark.parametrize("name", ["test/auroc", "gone"])
def test_what_has_no_value_trips(name):
    (line,) = violations([Gate(name, "<", 0.5)], METRICS)
    assert "has no value" in line
