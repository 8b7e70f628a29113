"""How a report ends: in words, a table, and a paired test."""

from __future__ import annotations

import io

import pytest
import torch
from rich.console import Console

from dlcli.commands.attack_chain import Examined
from dlcli.commands.attack_pages import paired_metrics, paired_words, rich_table
from dlcli.engine.outcomes import Clean, Outcomes
from dlcli.metrics.paired import mcnemar, paired_difference
from dlcli.report.page import Table


def examined(fooled: list[int], rows: list[int]) -> Examined:
    clean = Clean(torch.zeros(20, dtype=torch.int64), torch.zeros(20, dtype=torch.int64), "digest")
    predicted = torch.tensor([int(row in fooled) for row in range(20)])
    own = Outcomes(
        rows=torch.arange(20), predicted=predicted, distances=torch.full((20,), 0.1), forwards=1, backwards=1, seconds=0.0
    )
    return Examined(clean=clean, epsilon=0.3, examined=torch.tensor(rows), found={"pgd": own})


def test_a_paired_test_counts_examples_that_both_models_met():
    first, second = examined(list(range(15)), [9, 3, 17, 18]), examined([], [9, 3, 17, 18])
    found = paired_metrics(first, second)
    stood = torch.tensor([False, False, True, True])
    assert found["attack/paired/robust_accuracy_difference"] == paired_difference(stood, torch.ones(4, dtype=torch.bool))
    assert found["attack/paired/p_value"].value == mcnemar(stood, torch.ones(4, dtype=torch.bool))
    assert found["attack/paired/p_value"].n == 4


@pytest.mark.parametrize(("fooled", "words"), [(list(range(15)), "can be told apart"), ([0], "cannot be told apart")])
def test_the_words_say_whether_the_two_can_be_told_apart(fooled, words):
    said = paired_words(paired_metrics(examined(fooled, list(range(20))), examined([], list(range(20)))))
    assert words in said
    assert "+" in said


def test_a_table_of_the_page_is_the_same_in_the_terminal():
    console = Console(record=True, width=80)
    console.print(rich_table(Table("caption", ("class", "n"), (("cat\x1b[31m", "7"),))))
    shown = console.export_text()
    assert "caption" in shown
    assert "cat\\x1b[31m" in shown


def test_in_a_narrow_terminal_no_number_is_cut_and_no_interval_is_broken():
    share = "100.00 % [96.30, 100.00]"
    header = ("attack", "tried on", "its own accuracy", "still standing after it", "worst case so far")
    row = ("APGD-CE", "the 100 that still stood", share, share, share, "54 270", "16 200", "54 270", "3.9 s")
    table = Table("caption", (*header, "forwards", "backwards", "queries", "time"), (row,), words=frozenset({0, 1}))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(rich_table(table, width=console.width))
    said = console.export_text()
    assert said.count("[96.30, 100.00]") == 3
    assert "3.9 s" in said
    assert "…" not in said
    assert "backwards" not in said
    assert max(map(len, said.splitlines())) <= 80
    assert "54 270" in table_in_full(table)


def table_in_full(table: Table) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(rich_table(table, width=console.width))
    return console.export_text()
