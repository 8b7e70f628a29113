"""``--data PATH``: the user's own images or table in place of a named data set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dlcli.errors import UsageError

TABLE_SUFFIXES = (".csv", ".tsv", ".tab")
# The experiments that train on own data where none is named.
EXPERIMENTS = {"table": "own_table", "folder": "own_images"}


def kind_of(values: Mapping[str, Any]) -> str | None:
    """Returns the entry of the group ``data`` that reads what ``--data`` names: ``table``, ``folder``, or None for a named set.

    Raises:
        UsageError: there is no such file or folder, or a table without its target column.
    """
    from dlcli.config.catalog import entries

    given, target = values.get("data"), values.get("target")
    if given is None or ("/" not in given and given in entries("data", user=values.get("config_dir"))):
        if target is not None:
            raise UsageError("--target names a column of an own table", hint=f"--data FILE.csv --target {target}")
        return None
    path = _path(given)
    is_table = path.suffix.lower() in TABLE_SUFFIXES
    if not path.exists():
        # A word is a misspelt name: the configuration says which there are.
        if re.fullmatch(r"\w+", given):
            return None
        raise UsageError(f"--data {given}: there is no such file or folder", hint="dl list data shows the named data sets")
    if path.is_dir():
        if target is not None:
            raise UsageError(f"--target {target}: {given} is a folder, its classes are its folders", hint=f"--data {given}")
        return "folder"
    if not is_table or not path.is_file():
        raise UsageError(
            f"--data {given}: expected a folder of images or a table ({', '.join(TABLE_SUFFIXES)})", hint="--data FILE.csv"
        )
    if target is None:
        raise UsageError(f"--data {given} needs the column to predict{_columns(path)}", hint=f"--data {given} --target COLUMN")
    return "table"


def overrides_of(values: Mapping[str, Any]) -> list[str]:
    """Returns the overrides that ``--data`` and ``--target`` stand for. Raises UsageError."""
    from dlcli.config.compose import quoted

    if values.get("data") is None and values.get("target") is None:
        return []
    kind = kind_of(values)
    if kind is None:
        return [f"data={quoted(values['data'])}"]
    path = quoted(str(_path(values["data"]).absolute()))  # later verbs run in other folders
    if kind == "folder":
        return ["data=folder", f"data.root={path}"]
    return ["data=table", f"data.path={path}", f"data.target={quoted(values['target'])}"]


def _path(given: str) -> Any:
    """The path as typed, with the home folder for a ``~`` that names one; ``~.csv`` is a file like any other."""
    from pathlib import Path

    try:
        return Path(given).expanduser()
    except RuntimeError:
        return Path(given)


def _columns(path: Any) -> str:
    """The first names of the header, as far as one line shows them."""
    import csv

    from dlcli.report.text import safe

    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            line = file.readline(10_000)
    except OSError:
        return ""
    delimiter = max(",;\t|", key=line.count)
    names = [safe(name.strip()) for name in next(csv.reader([line], delimiter=delimiter), []) if name.strip()]
    return f"; it has {', '.join(names[:12])}{' …' if len(names) > 12 else ''}" if names else ""
