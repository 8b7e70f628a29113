"""How a command ends: its exit code, and one clear message where it failed."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence

import typer

from dlcli.errors import DlcliError, Interrupted, UsageError, did_you_mean
from dlcli.report.text import safe

# Typer brings its own click and exports only the leaves of its error tree; this is the class above typer.BadParameter.
_TyperUsageError = typer.BadParameter.__bases__[0]
_BUG = "this is a mistake in dlcli, not yours"


def exit_code_of(argv: Sequence[str]) -> int:
    """Runs the command line ``argv`` (without ``dl``) and returns its exit code; every failure is said in a few lines."""
    from dlcli.cli.app import app

    try:
        code = app(args=list(argv), prog_name="dl", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return _fail(Interrupted("stopped by SIGINT", signal_number=2), argv)
    except BrokenPipeError:
        # The reader of our output went away: nothing to say, and Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except DlcliError as error:
        return _fail(error, argv)
    except typer.Abort:
        return _fail(Interrupted("stopped", signal_number=2), argv)
    except _TyperUsageError as error:
        return _fail(_usage_error(error, argv), argv)
    except Exception as error:  # noqa: BLE001 - the last door: a bug gets one line too, and its traceback on request
        wrapped = DlcliError(f"{type(error).__name__}: {error}; {_BUG}", hint="run again with --debug and report the traceback")
        wrapped.code = 70
        wrapped.__cause__ = error
        for note in getattr(error, "__notes__", []):
            wrapped.add_note(note)
        return _fail(wrapped, argv)


def _fail(error: DlcliError, argv: Sequence[str]) -> int:
    if "--debug" in argv or os.environ.get("DL_DEBUG") == "1":
        traceback.print_exception(error, file=sys.stderr)
    lines = [f"error: {safe(line)}" for line in error.message.split("\n")]
    if error.hint:
        lines.append(f"try: {safe(error.hint)}")
    lines += [safe(note) for note in getattr(error, "__notes__", [])]
    sys.stderr.write("\n".join(lines) + "\n")
    if "--json" in argv:
        content = {"code": error.code, "message": error.message, "hint": error.hint}
        sys.stdout.write(json.dumps({"schema": 1, "verb": _verb(argv), "error": content}) + "\n")
    return error.code


def _usage_error(error: Exception, argv: Sequence[str]) -> UsageError:
    """Typer's message in our form: one line, one hint."""
    text = " ".join(str(getattr(error, "format_message", lambda: error)()).split())
    verb = _verb(argv)
    from dlcli.cli.app import verb_names

    unknown = text.removeprefix("No such command '").split("'")[0] if text.startswith("No such command") else None
    if unknown is not None:
        return UsageError(f"there is no command '{unknown}'{did_you_mean(unknown, verb_names())}", hint="dl --help lists them")
    known = verb if verb in verb_names() else ""
    return UsageError(text.rstrip("."), hint=" ".join(["dl", *([known] if known else []), "--help"]))


def _verb(argv: Sequence[str]) -> str:
    return next((argument for argument in argv if not argument.startswith("-")), "")
