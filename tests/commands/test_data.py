"""``dl data`` on shipped sets and on tables of one's own."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image


def test_a_contact_sheet_has_a_column_for_each_class(dl, tmp_path):
    out = tmp_path / "sheet.png"
    answer = dl("data", "show", "digits", "--per-class", "3", "--out", str(out))
    assert answer.code == 0, answer.err
    width, height = Image.open(io.BytesIO(out.read_bytes())).size
    assert width > 2 * height  # ten columns, three rows
    assert str(out) in answer.err


def test_an_augmented_sheet_differs_from_the_plain_one_and_repeats(dl, tmp_path):
    sheets = []
    for name in ("none", "shift", "shift"):
        answer = dl("data", "show", "mnist", "--augment", name, "--out", str(tmp_path / "a.png"), "--per-class", "2")
        assert answer.code == 0, answer.err
        sheets.append((tmp_path / "a.png").read_bytes())
    assert sheets[1] == sheets[2]
    assert sheets[0] != sheets[1]


def test_a_table_is_shown_column_by_column(dl, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(
        "age,city,left\n"
        + "".join(f"{20 + row % 7},{'Ulm' if row % 2 else ''},{'Yes' if row % 3 else 'No'}\n" for row in range(30))
    )
    answer = dl("data", "show", str(path), "--target", "left", "data.categories=[city]")
    assert answer.code == 0, answer.err
    assert "age" in answer.err
    assert "Ulm" in answer.err


def test_findings_are_told_and_are_json_for_programs(dl):
    answer = dl("data", "check", "digits")
    assert answer.code == 0, answer.err
    assert "digits: images of 1 x 8 x 8, 10 classes" in answer.err
    items = json.loads(dl("data", "check", "digits", "--json").out)
    assert items["verb"] == "data"
    assert all(set(item) == {"level", "text", "fix"} for item in items["items"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("look", "mnist"), "dl data look: expected check or show"),
        (("show", "minst"), "there is no data 'minst'"),
        (("show", "digits", "--split", "tset"), "--split tset: digits has train, val, test; did you mean"),
        (("show", "digits", "--per-class", "0"), "--per-class 0: expected 1 … 100"),
        (("show", "digits", "--augment", "shfit"), "there is no augment 'shfit'"),
        (("check", "digits", "data.split_sed=1"), "unknown key 'data.split_sed'"),
        (("check", "./nothing"), "there is no such file or folder"),
    ],
)
def test_what_is_wrong_is_one_line(dl, words, message):
    answer = dl("data", *words)
    assert answer.code == 2
    assert message in answer.err
    assert len(answer.err.strip().splitlines()) <= 3


def test_a_picture_replaces_pictures_only(dl, tmp_path):
    (tmp_path / "notes.png").write_text("mine")
    (tmp_path / "link.png").symlink_to(tmp_path / "notes.png")
    for name in ("notes.png", "link.png", "notes.txt"):
        answer = dl("data", "show", "digits", "--per-class", "1", "--out", str(tmp_path / name))
        assert answer.code == 2, name
    assert (tmp_path / "notes.png").read_text() == "mine"
    assert dl("data", "show", "digits", "--per-class", "1", "--out", str(tmp_path / "a.png")).code == 0
    assert dl("data", "show", "digits", "--per-class", "2", "--out", str(tmp_path / "a.png")).code == 0
