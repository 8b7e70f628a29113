"""Reader of ARFF files, the format of Weka's tables, as far as plain dense tables need it.

Format (Waikato, "Attribute-Relation File Format"): comments start with %, ``@attribute NAME TYPE`` names each column, the rows
after ``@data`` are separated by commas, ? is a missing value.
"""

from __future__ import annotations

import re

from dlcli.data.csv import Sheet, parse
from dlcli.errors import DataError

_ATTRIBUTE = re.compile(r"""@attribute\s+(?:'([^']*)'|"([^"]*)"|(\S+))\s+\S""", re.IGNORECASE)


def parse_arff(text: str, *, source: str) -> Sheet:
    """Returns the table that ``text`` holds.

    Args:
        source: the file, for messages.

    Raises:
        DataError: there is no ``@data``, the rows are sparse, or what :func:`~dlcli.data.csv.parse` refuses.
    """
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if start is None:
        raise DataError(f"{source} is no ARFF table: there is no line @data")
    names = [next(filter(None, match.groups())) for line in lines[:start] if (match := _ATTRIBUTE.match(line.strip()))]
    rows = [line if not line.lstrip().startswith("%") else "" for line in lines[start + 1 :]]
    if any(row.lstrip().startswith("{") for row in rows):
        raise DataError(f"{source} is a sparse ARFF table, expected a dense one")
    # What comes before the rows is blank, so that lines are counted as in the file.
    return parse("\n" * (start + 1) + "\n".join(rows), source=source, delimiter=",", header=names)
