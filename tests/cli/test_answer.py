import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
import typer

from dlcli import cli
from dlcli.cli import answer, app
from dlcli.errors import ConfigError, DataError, Interrupted, StorageError, UsageError


@pytest.fixture
def failing(monkeypatch):
    """Lets ``dl runs`` raise what is asked for."""

    def arrange(error: BaseException) -> None:
        def command() -> None:
            raise error

        replaced = typer.Typer(pretty_exceptions_enable=False)
        replaced.command("runs", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})(command)
        replaced.command("other")(lambda: None)
        monkeypatch.setattr(app, "app", replaced)

    return arrange


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("the file is wrong"), 65, "error: the file is wrong"),
        (UsageError("there is no run 'a\nb'"), 2, "error: there is no run 'a\\x0ab'"),
        (ConfigError(["there is no key 'a\nb'"]), 2, "error: there is no key 'a\\x0ab'"),
        (StorageError("disk full"), 74, "error: disk full"),
        (Interrupted("stopped by SIGTERM", signal_number=15), 143, "error: stopped by SIGTERM"),
        (KeyboardInterrupt(), 130, "error: stopped by SIGINT"),
        (typer.Abort(), 130, "error: stopped"),
        (ZeroDivisionError("x"), 70, "error: ZeroDivisionError: x; this is a mistake in dlcli, not yours"),
    ],
)
def test_every_ending_has_its_exit_code_and_its_line(error, code, line, failing, dl):
    failing(error)
    found = dl("runs")
    assert found.code == code
    assert found.err.splitlines()[0] == line
    assert "Traceback" not in found.err


def test_hint_and_notes_follow_the_message(failing, dl):
    error = DataError("wrong", hint="type this")
    error.add_note("log: over there")
    failing(error)
    assert dl("runs").err.splitlines() == ["error: wrong", "try: type this", "log: over there"]


def test_a_bugs_notes_are_kept(failing, dl):
    error = ZeroDivisionError("x")
    error.add_note("log: over there")
    failing(error)
    assert dl("runs").err.splitlines()[-1] == "log: over there"


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_the_traceback_is_shown_on_request_without_control_characters(how, failing, dl, monkeypatch):
    failing(DataError("wrong \x1b[31m"))
    if how == "environment":
        monkeypatch.setenv("DL_DEBUG", "1")
    found = dl("runs", *(["--debug"] if how == "flag" else []))
    assert "Traceback (most recent call last)" in found.err
    assert "\x1b" not in found.err


def test_json_is_one_line_with_code_message_and_hint(failing, dl):
    failing(DataError("wrong", hint="type this"))
    found = dl("runs", "--json")
    assert found.out.endswith("\n")
    assert json.loads(found.out) == {"schema": 1, "verb": "runs", "error": {"code": 65, "message": "wrong", "hint": "type this"}}


def test_a_reader_that_goes_away_ends_the_command_quietly():
    gone, writing = os.pipe()
    os.close(gone)
    done = subprocess.run([sys.executable, "-m", "dlcli", "list", "data"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("train --resume", "train --resume latest"),
        ("train --resume --quiet", "train --resume latest --quiet"),
        ("train --resume trainer.max_time=5", "train --resume latest trainer.max_time=5"),
        ("train --resume 2026", "train --resume 2026"),
        ("train --quiet", "train --quiet"),
    ],
)
def test_resume_alone_means_the_newest(typed, expected):
    assert answer.with_default_values(typed.split()) == expected.split()


def test_main_ends_the_process_with_the_code_and_gives_the_signal_handler_back(monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(sys, "argv", ["dl", "trian"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert signal.getsignal(signal.SIGTERM) is before
    assert "did you mean 'train'" in capsys.readouterr().err


def test_sigterm_before_the_work_begins_passes_what_swallows_exceptions_while_importing(monkeypatch, capsys):
    def app(**_):
        with contextlib.suppress(Exception):  # as Hydra does while it looks for plugins
            cli._terminate(signal.SIGTERM, None)
        return 0

    monkeypatch.setattr("dlcli.cli.app.app", app)
    assert answer.exit_code_of(["train"]) == 143
    assert capsys.readouterr().err == "error: stopped by SIGTERM\n"
