"""What ``--data`` and ``--target`` stand for, and what is said where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.cli.own_data import EXPERIMENTS, kind_of, overrides_of
from dlcli.config.catalog import entries
from dlcli.errors import UsageError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("age;left\n31;Yes\n", encoding="utf-8")
    return path


def test_a_name_is_an_entry_of_the_group():
    assert kind_of({"data": "mnist"}) is None
    assert overrides_of({"data": "mnist"}) == ["data=mnist"]
    assert overrides_of({}) == []


def test_a_table_becomes_its_reader_with_an_absolute_path(table, monkeypatch):
    monkeypatch.chdir(table.parent)
    assert overrides_of({"data": "people.csv", "target": "left"}) == ["data=table", f"data.path='{table}'", "data.target=left"]


def test_a_folder_becomes_its_reader(tmp_path):
    (tmp_path / "my photos").mkdir()
    assert overrides_of({"data": str(tmp_path / "my photos")}) == ["data=folder", f"data.root='{tmp_path / 'my photos'}'"]


def test_a_folder_called_as_a_shipped_set_needs_a_slash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    assert kind_of({"data": "mnist"}) is None
    assert kind_of({"data": "./mnist"}) == "folder"


def test_own_data_have_experiments_of_their_own():
    assert set(EXPERIMENTS.values()) <= set(entries("experiment"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": "nothing.csv", "target": "y"}, "there is no such file or folder"),
        ({"data": "mnist", "target": "y"}, "--target names a column of an own table"),
        ({"target": "y"}, "--target names a column of an own table"),
        ({"data": "FOLDER", "target": "y"}, "is a folder, its classes are its folders"),
        ({"data": "FILE"}, "expected a folder of images or a table"),
    ],
)
def test_what_is_wrong_is_one_line(values, message, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    places = {"FOLDER": str(tmp_path), "FILE": str(tmp_path / "notes.txt")}
    with pytest.raises(UsageError, match=message):
        kind_of({**values, "data": places.get(values.get("data"), values.get("data"))})


def test_a_table_without_a_target_shows_its_columns(table):
    with pytest.raises(UsageError, match="needs the column to predict; it has age, left"):
        kind_of({"data": str(table)})
