"""The command ``data``: its words and flags."""

from __future__ import annotations


def test_the_help_page_names_both_actions(dl):
    answer = dl("data", "--help")
    assert answer.code == 0
    assert "check|show" in answer.out
    assert "--per-class" in answer.out


def test_a_name_is_needed(dl):
    answer = dl("data", "check")
    assert answer.code == 2
    assert "NAME|DIR|CSV" in answer.err
