import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.report.text import cell, safe, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\t\0", "a\\x0ab\\x0d\\x09\\x00"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("\u2066x\u2069\u200f\u061c", "\\u2066x\\u2069\\u200f\\u061c"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_drive_a_terminal_becomes_visible(text, shown):
    assert safe(text) == shown


@pytest.mark.parametrize("text", ["Zürich – 猫 🐈‍⬛", "[red]5[/red]", "שלום"])
def test_ordinary_text_stays_as_it_is(text):
    assert safe(text) == text


@given(st.text(st.characters(), max_size=40))
def test_safe_text_can_be_written_on_one_line(text):
    shown = safe(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(character) == "Cc" for character in shown)


@given(st.text(max_size=40))
def test_safe_twice_is_safe_once(text):
    assert safe(safe(text)) == safe(text)


def test_a_long_text_ends_in_an_ellipsis():
    assert shorten("abcdefgh", 5) == "abcd…"
    assert shorten("abcde", 5) == "abcde"


def test_the_length_counts_escapes():
    assert len(shorten("\x1b" * 10, 6)) == 6


@pytest.mark.parametrize(("text", "written"), [("=cmd|calc!A0", "'=cmd|calc!A0"), ("@a", "'@a"), ("cat", "cat"), ("", "")])
def test_a_cell_is_no_formula(text, written):
    assert cell(text) == written
