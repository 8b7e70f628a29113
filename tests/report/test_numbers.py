import math

import pytest

from dlcli.report.numbers import bounds, count, figure, is_share, label, number, sample_size, value_of, written


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("test/accuracy", 0.99414, "99.41 %"),
        ("test/recall/3", 0.5, "50.00 %"),
        ("attack/robust_recall/0", 0.5, "50.00 %"),
        ("attack/robust_accuracy", 0, "0.00 %"),
        ("test/threshold/top_5/selected", 0.05, "5.00 %"),
        ("fairness/accuracy_difference", 0.1785, "0.1785"),
        ("test/nll", 0.0345, "0.0345"),
        ("test/auroc", 0.8461, "0.8461"),
        ("attack/mean_distance", 1234.5, "1234"),
        ("attack/forwards", 18730.0, "18 730"),
        ("test/ece", None, "–"),
        ("test/ece", math.nan, "–"),
        ("test/ece", "x", "–"),
        ("test/ece", True, "–"),
    ],
)
def test_a_value_is_written_as_its_metric_is_read(name, value, expected):
    assert written(name, value) == expected


def test_an_interval_has_its_unit_once():
    entry = {"value": 0.9941, "low": 0.9924, "high": 0.9954, "n": 10000}
    assert bounds("accuracy", entry) == "99.24 … 99.54 %"
    assert figure("accuracy", entry) == "99.41 % [99.24 … 99.54 %]"
    assert sample_size(entry) == "10 000"


def test_without_an_interval_there_are_no_brackets():
    assert figure("nll", {"value": 0.5, "low": None, "high": None}) == "0.5000"
    assert figure("nll", "garbled") == "–"
    assert sample_size({}) == ""


def test_names_are_words_and_unknown_ones_name_themselves():
    assert label("test/nll") == "negative log-likelihood (nats)"
    assert label("explain/some_new_metric") == "some new metric"


def test_shares_are_known_by_their_words_not_by_letters_in_them():
    assert is_share("attack/success_rate")
    assert not is_share("explain/separated")
    assert not is_share("test/brier")


def test_only_finite_numbers_are_numbers():
    assert [number(value) for value in (1, 0.5, math.inf, "1", None, False)] == [1.0, 0.5, None, None, None, None]
    assert value_of({"a": {"value": 2}}, "a") == 2.0
    assert value_of({}, "a") is None
    assert count(1234567) == "1 234 567"


def test_a_whole_number_that_no_float_holds_is_none():
    assert number(10**400) is None
    assert number(-(10**400)) is None
    assert count(10**400) == "–"


def test_a_name_of_very_many_parts_has_a_label():
    assert label("a/recall/3/4") == "recall, class 3, class 4"
    assert label("3") == "3"
    assert label("/".join(["1"] * 3000)).startswith("1, class 1")
