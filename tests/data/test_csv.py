import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data import csv as reader
from dlcli.data.csv import Sheet, parse, read_csv
from dlcli.errors import DataError, StorageError


@pytest.fixture
def file(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_is_found(file, delimiter):
    sheet = read_csv(file(f"a{delimiter}b\n1,5{delimiter}x\n2,5{delimiter}y\n" if delimiter != "," else "a,b\n1.5,x\n2.5,y\n"))
    assert sheet.header == ("a", "b")
    assert sheet.cells("b") == ["x", "y"]


def test_a_byte_order_mark_windows_line_ends_and_white_space_are_no_part_of_the_cells(file):
    sheet = read_csv(file("\ufeffa, b \r\n1 ,  x\r\n\r\n2,y\r\n"))
    assert sheet.header == ("a", "b")
    assert [list(row) for row in sheet.rows] == [["1", "x"], ["2", "y"]]
    assert list(sheet.lines) == [2, 4]


def test_a_cell_in_quotes_may_hold_separators_quotes_and_line_ends(file):
    sheet = read_csv(file('a,b\n"1,2","say ""hi""\nthere"\n3,4\n'))
    assert [list(row) for row in sheet.rows] == [["1,2", 'say "hi"\nthere'], ["3", "4"]]
    assert list(sheet.lines) == [2, 4]


CELLS = (
    st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), min_size=1, max_size=6)
    .map(str.strip)
    .filter(bool)
)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_the_standard_writer_writes_is_read_back(rows):
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b", "c"], *rows])
    assert [list(row) for row in parse(text.getvalue(), source="t", delimiter=",").rows] == rows


BAD = [
    ("", r"is empty; expected a header"),
    (" \n\n", r"is empty; expected a header"),
    ("a,b\n", r"has a header and no rows"),
    ("a,b\n1,2\n3\n4,5\n", r"line 3 has 1 cells, expected 2 as in the header"),
    ("a,b\n1,2,3\n", r"line 2 has 3 cells, expected 2"),
    ("a,b,a\n1,2,3\n", r"names 'a' twice, as columns 1 and 3"),
    (",b\n1,2\n", r"column 1 of 2 has no name in the header"),
    ("a, \n1,2\n", r"column 2 of 2 has no name in the header"),
    ('a,b\n1,"2\n3,4\n', r"line 2 cannot be read: a quote that is never closed"),
    (b"a,b\n1,caf\xe9\n", r"is not UTF-8 text: byte 0xe9 on line 2"),
    ("a,b\n1,2\n".encode("utf-16"), r"is UTF-16 text, expected CSV as UTF-8"),
    (b"PK\x03\x04rest", r"is a zip or Excel file"),
    (b"a,b\n1,\x00\n", r"holds zero bytes"),
    ("a,b\n1," + "x" * 200_000 + "\n", r"line 2 cannot be read: field larger than field limit"),
    (",".join(f"c{number}" for number in range(10_001)) + "\n", r"has 10,001 columns; up to 10,000 are read"),
]


@pytest.mark.parametrize(("content", "message"), BAD, ids=[message for _, message in BAD])
def test_a_broken_file_is_refused_in_one_line_that_names_it(file, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_csv(file(content))
    assert "table.csv" in caught.value.message
    assert "\n" not in caught.value.message + (caught.value.hint or "")


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(file, monkeypatch):
    monkeypatch.setattr(reader, "LARGEST_FILE", 4)
    with pytest.raises(DataError, match="tables are read whole"):
        read_csv(file("a,b\n1,2\n"))


@pytest.mark.parametrize(("name", "message"), [("none.csv", "cannot read .*none.csv"), ("", "is a folder, expected a CSV file")])
def test_a_missing_file_and_a_folder_are_storage_errors(tmp_path, name, message):
    with pytest.raises(StorageError, match=message):
        read_csv(tmp_path / name)


def test_rows_given_by_name_make_a_sheet_and_what_a_row_lacks_is_empty():
    sheet = Sheet.of([{"a": "1", "b": " x "}, {"b": "y", "c": "2"}])
    assert sheet.header == ("a", "b", "c")
    assert [list(row) for row in sheet.rows] == [["1", "x", ""], ["", "y", "2"]]
