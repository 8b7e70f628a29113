import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.contracts import Column, DataSpec
from dlcli.data.csv import Sheet, parse
from dlcli.data.encoding import encode, fit_encoding, identifier_of
from dlcli.data.raw_table import raw_table
from dlcli.errors import DataError


def table(columns: dict[str, list], **options):
    """A raw table with the given columns and alternating classes."""
    rows = len(next(iter(columns.values())))
    lines = [",".join([*columns, "y"])]
    lines += [",".join([*(str(cells[row]) for cells in columns.values()), "ab"[row % 2]]) for row in range(rows)]
    return raw_table(parse("\n".join(lines), source="t.csv", delimiter=","), "y", **options)


def fitted(columns, train=None, **options):
    raw = table(columns, **options)
    return fit_encoding(raw, torch.arange(len(raw)) if train is None else torch.tensor(train), name="t")


def left_out(columns, **options) -> str:
    """Why the column ``c`` is left out beside a useful one; empty where it is kept."""
    rows = len(columns["c"])
    encoding = fitted({"useful": [row % 3 for row in range(rows)], **columns}, **options)
    kept = [column.name for column in encoding.spec.columns]
    return "" if "c" in kept else next(note for note in encoding.notes if note.endswith(": c"))


def test_numbers_keep_their_units_and_categories_become_codes_from_one():
    raw = table({"n": [10, 20, 30, 40], "k": ["v", "u", "v", "u"]})
    encoding = fit_encoding(raw, torch.arange(4), name="t")
    assert encoding(raw).tolist() == [[10, 2], [20, 1], [30, 2], [40, 1]]
    assert encoding(raw).dtype == torch.float32
    assert encoding.spec.columns == (Column(name="n", low=10.0, high=40.0), Column(name="k", categories=("u", "v")))
    assert encoding.spec.mean == (25.0, 0.0)
    assert encoding.spec.std == (pytest.approx(math.sqrt(125)), 1.0)
    assert (encoding.spec.kind, encoding.spec.shape, encoding.spec.classes) == ("table", (2,), ("a", "b"))


def test_what_is_missing_is_nan_and_enters_no_statistics():
    raw = table({"n": [1, "", 3, "NA"], "k": ["u", "?", "v", "u"]}, categories=["k"])
    encoding = fit_encoding(raw, torch.arange(4), name="t")
    assert encoding(raw).isnan().tolist() == [[False, False], [True, True], [False, False], [True, False]]
    assert encoding.spec.mean[0] == 2.0
    assert encoding.spec.columns[1].categories == ("u", "v")


def test_a_category_that_train_lacks_gets_code_zero():
    raw = table({"k": ["u", "v", "u", "v", "w", "u"]}, categories=["k"])
    encoding = fit_encoding(raw, torch.arange(4), name="t")
    assert encoding.spec.columns[0].categories == ("u", "v")
    assert encoding(raw)[:, 0].tolist() == [1, 2, 1, 2, 0, 1]


@given(st.lists(st.tuples(st.integers(-999, 999), st.sampled_from("uvwx")), min_size=2, max_size=2))
def test_rows_outside_train_change_nothing_of_what_is_measured(others):
    def spec(last):
        numbers, letters = [5, 6, 6, 8, *(number for number, _ in last)], ["u", "v", "u", "v", *(letter for _, letter in last)]
        return fitted({"n": numbers, "k": letters}, train=[0, 1, 2, 3], categories=["k"]).spec

    assert spec(others) == spec([(0, "u"), (1, "v")])


REASONS = [
    ([7] * 40, "constant in train"),
    (["u"] * 40, "constant in train"),
    ([""] * 40, "empty in train"),
    (list(range(1000, 1040)), "an identifier"),
    ([f"name{row}" for row in range(40)], "different in every row"),
    ([f"name{row // 2}{row % 2 or row}" for row in range(40)], "different in every row"),
    ([f"word{row * row % 29}" for row in range(29)] + ["word1"] * 11, ""),
    ([f"word{row % 30}" for row in range(40)], "too many values"),
    ([f"word{row % 51}" for row in range(306)], "too many values"),
    ([f"word{row % 50}" for row in range(300)], ""),
    ([f"2020-01-{row % 28 + 1:02d}" for row in range(100)], "dates or times"),
    ([row % 2 for row in range(40)], ""),
    ([row * 10_007 % 999_983 for row in range(40)], ""),
    ([row + 0.5 for row in range(40)], ""),
]


@pytest.mark.parametrize(("cells", "reason"), REASONS)
def test_columns_that_teach_nothing_are_left_out_and_said(cells, reason):
    said = left_out({"c": cells})
    assert reason in said
    assert bool(said) == bool(reason)


@pytest.mark.parametrize("name", ["id", "user_id", "userId", "Id", "row number"])
def test_whole_numbers_that_differ_in_every_row_are_an_identifier_where_the_name_says_so(name):
    numbers = [row * 10_007 % 999_983 for row in range(40)]
    encoding = fitted({"useful": [row % 3 for row in range(40)], name: numbers})
    assert [column.name for column in encoding.spec.columns] == ["useful"]


def test_a_column_that_the_user_names_is_kept():
    assert left_out({"c": list(range(40))}, numbers=["c"]) == ""
    assert left_out({"c": [f"name{row}" for row in range(40)]}, categories=["c"]) == ""
    assert left_out({"c": [7] * 40}, numbers=["c"]) == ""


def test_a_constant_column_that_is_kept_has_spread_one():
    assert fitted({"c": [7] * 6}, numbers=["c"]).spec.std == (1.0,)


def test_a_table_without_a_useful_column_is_refused():
    with pytest.raises(DataError, match="t: no column is left to learn from; left out, constant in train: c"):
        fitted({"c": [7] * 6})


def test_the_notes_say_the_types():
    notes = fitted({"n": [1, 2, 3, 3], "k": ["u", "v", "u", "v"]}).notes
    assert notes == ("2 columns: 1 numbers (n), 1 categories (k (2))",)


SPEC = DataSpec(
    name="t",
    shape=(2,),
    classes=("a", "b"),
    mean=(0.0, 0.0),
    std=(1.0, 1.0),
    kind="table",
    epsilon={},
    columns=(Column(name="n", low=0.0, high=9.0), Column(name="k", categories=("u", "v"))),
)


def test_new_rows_are_encoded_in_the_models_order_whatever_theirs():
    rows, notes = encode(Sheet.of([{"k": "v", "n": "3"}, {"k": "u", "n": "1.5"}]), SPEC)
    assert rows.tolist() == [[3, 2], [1.5, 1]]
    assert notes == ()


def test_new_rows_as_the_table_itself_give_the_same_codes():
    cells = {"n": ["10", "", "30", "40"], "k": ["v", "u", "?", "u"]}
    raw = table(cells, categories=["k"])
    encoding = fit_encoding(raw, torch.arange(4), name="t")
    rows, _ = encode(Sheet.of([dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]), encoding.spec)
    assert torch.equal(rows.nan_to_num(-1), encoding(raw).nan_to_num(-1))


def test_a_missing_column_is_named_with_what_it_could_be():
    with pytest.raises(DataError, match=r"lacks 1 of the model's 2 columns: k; did you mean 'kk'\?"):
        encode(Sheet.of([{"n": "1", "kk": "u"}]), SPEC)


def test_new_columns_new_categories_and_missing_values_are_counted():
    rows, notes = encode(Sheet.of([{"n": "", "k": "w", "z": "1"}, {"n": "2", "k": "w", "z": "1"}]), SPEC)
    assert rows[:, 1].tolist() == [0, 0]
    assert math.isnan(float(rows[0, 0]))
    assert notes[0] == "ignored, the model does not know them: z"
    assert notes[1] == "values not in train, read as unknown: k 2 (such as 'w')"
    assert notes[2].startswith("missing of 2: n 1;")


def test_text_where_the_model_expects_a_number_is_refused_with_its_line():
    with pytest.raises(DataError, match="line 2: 'n' holds '1,5'; the model expects a number"):
        encode(Sheet.of([{"n": "1", "k": "u"}, {"n": "1,5", "k": "u"}]), SPEC)


def test_a_category_that_is_a_number_is_known_in_another_notation():
    spec = DataSpec.from_dict({**SPEC.to_dict(), "columns": [{"name": "k", "categories": ["1", "2"], "low": None, "high": None}]})
    rows, notes = encode(Sheet.of([{"k": "1.0"}, {"k": "2"}, {"k": "3"}]), spec)
    assert rows[:, 0].tolist() == [1, 2, 0]
    assert len(notes) == 1


def sheet_of(**columns: list[str]) -> Sheet:
    rows = list(zip(*columns.values(), strict=True))
    return Sheet("t.csv", tuple(columns), rows, range(2, len(rows) + 2))


def test_rows_are_told_apart_by_a_column_that_the_model_does_not_read():
    spec = fitted({"age": [1, 2, 2, 4]}).spec
    sheet = sheet_of(age=["1", "2"], name=["Ann", "Bob"], left=["Yes", "Yes"], person_id=["7", "8"])
    assert identifier_of(sheet, spec) == "person_id"
    assert identifier_of(sheet_of(age=["1", "2"], name=["Ann", "Bob"]), spec) == "name"


def test_a_column_with_a_value_twice_or_missing_tells_no_rows_apart():
    spec = fitted({"age": [1, 2, 2, 4]}).spec
    assert identifier_of(sheet_of(age=["1", "2"], id=["7", "7"]), spec) is None
    assert identifier_of(sheet_of(age=["1", "2"], id=["7", ""]), spec) is None
