"""Bars of columns."""

from dlcli.contracts import Metric
from dlcli.report.bars import column_bars


def test_bars_are_a_picture_and_the_same_numbers_give_the_same_bytes() -> None:
    values = {"Over$Time": Metric(0.5, 0.4, 0.6, 10, "t"), "Age": Metric(-0.1)}
    first, again = (column_bars({"one": values, "two": values}, list(values), title="columns") for _ in range(2))
    assert first.startswith(b"\x89PNG")
    assert first == again
    assert column_bars({"one": values}, ["Age"], title="columns") != first
