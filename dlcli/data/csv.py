"""Reader of CSV files as text: a header, then rows of equally many cells; what is wrong is said with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.errors import DataError, StorageError

DELIMITERS = (",", ";", "\t", "|")
LARGEST_FILE = 256 * 2**20  # bytes; as text in memory it takes about ten times as much
MOST_COLUMNS = 10_000
_SNIFFED_LINES = 50
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_STARTS = {
    b"PK\x03\x04": ("a zip or Excel file", "export the sheet as CSV (UTF-8)"),
    b"\x1f\x8b": ("compressed with gzip", "unpack it first"),
    b"\xd0\xcf\x11\xe0": ("an old Excel file", "export the sheet as CSV (UTF-8)"),
    b"PAR1": ("a Parquet file", "write it as CSV"),
    b"\xff\xfe": ("UTF-16 text", "save it as UTF-8"),
    b"\xfe\xff": ("UTF-16 text", "save it as UTF-8"),
}


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table as text.

    Args:
        source: what to call it in messages: the file's path.
        header: D column names, each once.
        rows: N rows of D cells, without white space around them.
        lines: the line of the file that each row starts on, counted from 1.
    """

    source: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    def cells(self, name: str) -> list[str]:
        """Returns the column of that name, N cells."""
        position = self.header.index(name)
        return [row[position] for row in self.rows]

    def without(self, name: str) -> Sheet:
        """Returns the table less the column of that name."""
        position = self.header.index(name)
        kept = [(*row[:position], *row[position + 1 :]) for row in self.rows]
        return Sheet(self.source, (*self.header[:position], *self.header[position + 1 :]), kept, self.lines)

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, str]], *, source: str = "the rows") -> Sheet:
        """Returns rows that are given as name → cell; a name that a row lacks is an empty cell. Rows count as lines from 1."""
        header = tuple(dict.fromkeys(name for row in rows for name in row))
        cells = [[str(row.get(name, "")).strip() for name in header] for row in rows]
        return cls(source, header, cells, range(1, len(rows) + 1))


def read_csv(path: Path) -> Sheet:
    """Reads a CSV file: UTF-8 with or without a byte order mark; comma, semicolon, tab or bar between the cells.

    Cells may stand in double quotes, a double quote inside them is doubled (RFC 4180). Lines without a character are skipped.

    Raises:
        StorageError: the file is missing, a folder, or cannot be read.
        DataError: it is larger than 256 MiB, is no UTF-8 text, has no header or no rows, an empty or repeated column name, more
            than 10,000 columns, a row with another number of cells, or a quote that is never closed.
    """
    text = _text(path)
    if not text.strip():
        raise DataError(f"{path} is empty; expected a header with column names, and rows")
    return parse(text, source=str(path))


def parse(text: str, *, source: str, delimiter: str | None = None, header: Sequence[str] | None = None) -> Sheet:
    """Returns the table that ``text`` holds; see :func:`read_csv`.

    Args:
        delimiter: None to find it out.
        header: the column names where the text has none; None means its first row.
    """
    between = delimiter or _delimiter(text)
    records = _records(text, between, source)
    if header is None:
        line, first = next(records, (1, []))
        names = _checked_header(first, source, line)
    else:
        names = tuple(header)
    rows: list[list[str]] = []
    lines: list[int] = []
    for line, record in records:
        if len(record) != len(names):
            raise DataError(
                f"{source}: line {line} has {len(record)} cells, expected {len(names)} as in the header",
                hint=f'mend the line; a cell that holds a {_NAMES.get(between, "separator")} must stand in "double quotes"',
            )
        rows.append([cell.strip() for cell in record])
        lines.append(line)
    if not rows:
        raise DataError(f"{source} has a header and no rows")
    return Sheet(source, names, rows, lines)


def _text(path: Path) -> str:
    """The file's text, without a byte order mark."""
    try:
        if path.is_dir():
            raise StorageError(f"{path} is a folder, expected a CSV file")
        if path.exists() and not path.is_file():
            raise StorageError(f"{path} is a pipe or a device, expected a CSV file")  # it might never end
        size = path.stat().st_size
        if size > LARGEST_FILE:
            limit = f"{LARGEST_FILE // 2**20} MiB"
            raise DataError(
                f"{path} has {size / 2**20:,.0f} MiB; tables are read whole, up to {limit}", hint="take a sample of its rows"
            )
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", hint="check the path and its permissions") from error
    for start, (what, hint) in _STARTS.items():
        if content.startswith(start):
            raise DataError(f"{path} is {what}, expected CSV as UTF-8 text", hint=hint)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"0x{content[error.start]:02x}"
        raise DataError(f"{path} is not UTF-8 text: byte {byte} on line {line}", hint="save it as UTF-8 (CSV UTF-8)") from error
    if "\0" in text:
        raise DataError(f"{path} holds zero bytes: it is no text, expected CSV as UTF-8")
    return text


def _delimiter(text: str) -> str:
    """The separator with which most of the first rows have as many cells as the header, and the header most cells."""
    sample = "".join(line for line, _ in zip(io.StringIO(text, newline=""), range(_SNIFFED_LINES), strict=False))

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            counts = [len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            return 0.0, 0
        if not counts or counts[0] < 2:
            return 0.0, 0
        return sum(count == counts[0] for count in counts) / len(counts), counts[0]

    return max(DELIMITERS, key=fit)


def _records(text: str, delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """The rows with the line that each starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            what = "a quote that is never closed" if "unexpected end" in str(error) else str(error)
            raise DataError(
                f"{source}: line {line} cannot be read: {what}", hint='a quote inside a cell is written ""'
            ) from error
        if record:
            yield line, record


def _checked_header(record: Sequence[str], source: str, line: int) -> tuple[str, ...]:
    names = tuple(" ".join(name.split()) for name in record)
    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"{source} has {len(names):,} columns; up to {MOST_COLUMNS:,} are read", hint="is it written on its side?"
        )
    for position, name in enumerate(names):
        if not name:
            place = f"column {position + 1} of {len(names)}"
            hint = (
                "if pandas wrote it: to_csv(…, index=False)" if position == 0 else f"give it a name in line {line}, or delete it"
            )
            raise DataError(f"{source}: {place} has no name in the header", hint=hint)
        if name in names[:position]:
            first = names.index(name) + 1
            raise DataError(
                f"{source}: the header names '{name}' twice, as columns {first} and {position + 1}", hint="rename one"
            )
    return names
