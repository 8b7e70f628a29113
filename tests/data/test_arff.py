import pytest

from dlcli.data.arff import parse_arff
from dlcli.errors import DataError

TEXT = """% a comment
@relation small
@attribute 'a' numeric
@ATTRIBUTE "b c" REAL

@attribute kind { u, v }
@DATA
1, 2.5, u
% another
?,3,v
"""


def test_names_and_rows_are_read_and_lines_counted_as_in_the_file():
    sheet = parse_arff(TEXT, source="t.arff")
    assert sheet.header == ("a", "b c", "kind")
    assert [list(row) for row in sheet.rows] == [["1", "2.5", "u"], ["?", "3", "v"]]
    assert list(sheet.lines) == [8, 10]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "t.arff is no ARFF table: there is no line @data"),
        (TEXT + "{0 1}\n", "sparse ARFF table"),
        (TEXT + "1,2\n", "line 11 has 2 cells, expected 3"),
        (TEXT.partition("1, 2.5")[0], "has a header and no rows"),
    ],
)
def test_what_is_no_dense_table_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        parse_arff(text, source="t.arff")
