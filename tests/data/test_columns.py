import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.columns import by_size, is_missing, named, number, read_column, shown
from dlcli.errors import DataError


def column(cells, **options):
    return read_column("c", cells, source="t.csv", lines=range(2, len(cells) + 2), **options)


def test_cells_that_are_all_numbers_make_a_column_of_numbers():
    read = column(["1", "-2.5", "", "+1e3", ".5", "7."])
    assert not read.is_text
    assert read.values[[0, 1, 3, 4, 5]].tolist() == [1, -2.5, 1000, 0.5, 7]
    assert read.missing.tolist() == [False, False, True, False, False, False]


@given(st.lists(st.floats(-1e30, 1e30), min_size=1))
def test_every_finite_number_that_python_writes_is_read_back_exactly(values):
    assert column([repr(value) for value in values]).values.tolist() == values


def test_other_cells_make_categories_in_alphabetical_order_and_numbers_among_them_by_size():
    read = column(["b", "10", "9", "", "a", "b"])
    assert read.levels == ("9", "10", "a", "b")
    assert read.values.tolist() == [3, 1, 0, -1, 2, 3]


def test_an_ordered_scale_keeps_its_order_and_unknown_texts_follow():
    read = column(["High", "Low", "Extreme"], order=("Low", "Medium", "High"))
    assert read.levels == ("Low", "High", "Extreme")


def test_numbers_are_read_as_categories_where_the_user_says_so():
    assert column(["2", "10", "2"], kind="categories").levels == ("2", "10")


@pytest.mark.parametrize("cell", ["", "NA", "n/a", "NaN", "NULL", "?", "na"])
def test_a_value_that_is_not_there_is_known_by_its_mark(cell):
    assert is_missing(cell)
    assert math.isnan(float(column([cell, "1"]).values[0]))


@pytest.mark.parametrize("text", ["0", "none", "missing", "-"])
def test_other_words_are_values(text):
    assert not is_missing(text)


@pytest.mark.parametrize("text", ["1_000", "inf", "nan", "0x10", "1e99", "٣", "1 2", ""])
def test_what_is_no_plain_number_is_none(text):
    assert number(text) is None


@pytest.mark.parametrize("cell", ["1,234", "12%", "12 %", "$5", "5 €", "1'234", "1 234", "inf", "(5)"])
def test_a_number_to_people_only_is_refused_and_not_guessed_at(cell):
    with pytest.raises(DataError, match=r"line 3: 'c' holds .*no plain number and not guessed at") as caught:
        column(["1", cell, "2"])
    assert "data.categories=[c]" in caught.value.hint


def test_a_few_words_among_many_numbers_are_refused_with_the_first_line():
    with pytest.raises(DataError, match="line 32: 'c' holds 'unknown', while 30 of 31 are numbers"):
        column([*map(str, range(30)), "unknown"])


def test_a_few_words_among_few_different_numbers_are_categories():
    assert column(["0", "1", "2", "3+"] * 30).levels == ("0", "1", "2", "3+")


def test_a_word_in_a_column_that_the_user_wants_as_numbers_is_refused():
    with pytest.raises(DataError, match=r"line 3: 'c' holds 'x', expected a number \(2 such cells\)"):
        column(["1", "x", "x"], kind="numbers")


@pytest.mark.parametrize("cells", [["2020-01-31", "1999-12-01"], ["31.12.2020", "01.02.21"], ["1/2/2020 10:30"], ["10:30"]])
def test_dates_and_times_are_known(cells):
    read = column(cells)
    assert read.is_text
    assert read.dates


def test_a_message_shows_long_and_broken_cells_on_one_short_line():
    assert shown("a\nb") == "'a b'"
    assert len(shown("x" * 99)) == 42
    assert named(list("abcdefghij")) == "a, b, c, d, e, f, g, h and 2 more"


def test_sorting_puts_numbers_by_size_before_words():
    assert sorted(["b", "10", "9", "a", "-1"], key=by_size) == ["-1", "9", "10", "a", "b"]


def test_columns_of_nothing_are_numbers_that_are_all_missing():
    read = column(["", "?"])
    assert not read.is_text
    assert torch.all(read.missing)
