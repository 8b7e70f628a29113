import io
import sys

import pytest
from rich.table import Table
from rich.text import Text

from dlcli.commands.console import Talk, kept, metrics_table
from dlcli.config.invocation import Invocation
from dlcli.contracts import Metric


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch) -> Terminal:
    """Makes stderr a terminal; not as a fixture, because pytest takes stderr back between set-up and test."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    return screen


def test_lines_go_to_stderr_and_never_to_stdout(capsys):
    talk = Talk()
    talk.line("hello")
    talk.warn("careful")
    talk.show(Text("a table"))
    assert capsys.readouterr() == ("", "hello\nwarning: careful\na table\n")


def test_quiet_says_only_warnings(capsys):
    talk = Talk(quiet=True)
    talk.line("hello")
    talk.show(Text("a table"))
    talk.picture(Text("a picture"))
    talk.next_commands(("dl runs", "what there is"))
    talk.warn("careful")
    assert capsys.readouterr().err == "warning: careful\n"


@pytest.mark.parametrize(("overrides", "name"), [((), "mnist"), (("experiment=mnist", "model=linear"), "linear-threshold")])
def test_the_lesson_is_about_the_part_that_was_typed(overrides, name, *, capsys):
    about = Invocation(verb="train", overrides=overrides, choices={"experiment": "mnist", "model": "linear"})
    Talk(about=about).next_commands()
    assert capsys.readouterr().err.split()[:4] == ["next:", "dl", "learn", name]


def test_foreign_text_cannot_drive_the_terminal(capsys):
    talk = Talk()
    talk.line("\x1b[31m[red]x[/red] \u202e")
    talk.warn("\x1b]0;t\x07")
    said = capsys.readouterr().err
    assert not set(said) & {"\x1b", "\x07", "\u202e"}
    assert "[red]x[/red]" in said


def test_a_long_line_stays_one_line_where_stderr_is_no_terminal(capsys):
    Talk().line("word " * 200)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_pictures_need_a_terminal_with_colours_and_someone_who_wants_them(monkeypatch):
    terminal(monkeypatch)
    assert Talk().shows_pictures
    assert not Talk(quiet=True).shows_pictures
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Talk().shows_pictures
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not Talk().shows_pictures
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not Talk().shows_pictures


def test_a_picture_is_shown_where_it_can_be_seen(monkeypatch):
    screen = terminal(monkeypatch)
    Talk().picture(Text("▀▀"))
    assert "▀▀" in screen.getvalue()


def test_the_bar_moves_on_a_terminal_and_leaves_nothing_behind(monkeypatch):
    screen = terminal(monkeypatch)
    with Talk().progress("steps", 10, done=4) as bar:
        bar.at(7, "loss 0.1")
    shown = screen.getvalue()
    assert "7/10" in shown
    assert "loss 0.1" in shown
    # The cursor is back, and the line of the bar is erased last.
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1
    assert shown.rindex("\x1b[2K") > shown.rindex("7/10")


def test_without_a_terminal_there_is_no_bar(capsys):
    with Talk().progress("steps", 10) as bar:
        bar.at(7, "loss 0.1")
    assert capsys.readouterr().err == ""


def test_next_commands_stand_under_each_other(capsys):
    Talk().next_commands(("dl runs", "what there is"), ("dl attack fgsm", "fool it"))
    assert capsys.readouterr().err.splitlines() == ["next:", "  dl runs          what there is", "  dl attack fgsm   fool it"]


def test_a_table_shows_shares_in_percent_with_their_interval_and_leaves_out_what_is_not_there(capsys):
    metrics = {"a": Metric(0.5, 0.25, 0.75, 4, "wilson"), "b": Metric(1.5, n=3), "c": Metric(float("nan"))}
    Talk().show(metrics_table("title", metrics, {"a": "share", "b": "distance", "c": "unknown", "d": "absent"}))
    said = capsys.readouterr().err
    assert "50.00 %" in said
    assert "25.00 % … 75.00 %" in said
    assert "1.5000" in said
    assert "unknown" not in said
    assert "absent" not in said


def test_what_is_said_is_kept_in_the_runs_log_whether_it_is_seen_or_not() -> None:
    noted: list[str] = []
    table = Table("name", "value")
    table.add_row("loss", "0.5")
    talk = Talk(quiet=True)
    talk.line("before")
    with kept(noted.append):
        talk.line("one line")
        talk.warn("careful")
        talk.show(table)
        talk.next_commands(("dl evaluate", "what is next"))
    talk.line("after")
    assert noted[:2] == ["one line", "warning: careful"]
    assert any("loss" in line and "0.5" in line for line in noted)
    assert not [line for line in noted if "dl evaluate" in line or line in {"before", "after"}]
