"""How a command ends: its exit code, and one clear message where it failed."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import traceback
from collections.abc import Sequence

import typer

from dlcli.errors import ConfigError, DlcliError, GateError, Interrupted, Terminated, UsageError, did_you_mean, suggestion
from dlcli.report.text import safe, shorten

# Typer brings its own click and exports only the leaves of its error tree; this is the class above typer.BadParameter.
_TyperUsageError: type[Exception] = typer.BadParameter.__bases__[0]
_TYPER_INTERRUPTED = 130  # what Typer returns after a KeyboardInterrupt; no command of ours returns a number
_EXPECTED = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
_BUG = "this is a mistake in dlcli, not yours"


def exit_code_of(argv: Sequence[str]) -> int:
    """Runs the command line ``argv`` (without ``dl``) and returns its exit code; every failure is said in a few lines."""
    from dlcli.cli.app import app

    argv = with_default_values(argv)
    try:
        code = app(args=argv, prog_name="dl", standalone_mode=False)
        if code == _TYPER_INTERRUPTED:
            raise KeyboardInterrupt
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return _fail(Interrupted("stopped by SIGINT", signal_number=2), argv)
    except Terminated:
        return _fail(Interrupted("stopped by SIGTERM", signal_number=15), argv)
    except (BrokenPipeError, SystemExit) as ended:
        # Typer ends the process where the reader of our output went away, and after completion.
        if isinstance(ended, BrokenPipeError) or isinstance(ended.__context__, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes once more at exit, and must not complain
            return 0
        return ended.code if isinstance(ended.code, int) else 0
    except DlcliError as error:
        return _fail(error, argv)
    except typer.Abort:
        return _fail(Interrupted("stopped", signal_number=2), argv)
    except _TyperUsageError as error:
        return _fail(_usage_error(error, argv), argv)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            return _fail(_bug(error), argv)
        name = shorten(str(error.filename), 40)
        return _fail(UsageError(f"'{name}' is longer than a file's name can be", hint="a shorter name"), argv)
    except Exception as error:  # noqa: BLE001 - the last door: a bug gets one line too, and its traceback on request
        return _fail(_bug(error), argv)


def _bug(error: Exception) -> DlcliError:
    wrapped = DlcliError(f"{type(error).__name__}: {error}; {_BUG}", hint="run again with --debug and report the traceback")
    wrapped.code = 70
    wrapped.__cause__ = error
    for note in getattr(error, "__notes__", []):
        wrapped.add_note(note)
    return wrapped


def with_default_values(argv: Sequence[str]) -> list[str]:
    """Returns the arguments with ``latest`` after a ``--resume`` that stands alone."""
    result: list[str] = []
    for position, argument in enumerate(argv):
        result.append(argument)
        following = argv[position + 1] if position + 1 < len(argv) else None
        if argument == "--resume" and (following is None or following.startswith(("-", "+", "~")) or "=" in following):
            result.append("latest")
    return result


def _fail(error: DlcliError, argv: Sequence[str]) -> int:
    if "--debug" in argv or os.environ.get("DL_DEBUG") == "1":
        for line in "".join(traceback.format_exception(error)).splitlines():
            sys.stderr.write(safe(line) + "\n")
    # A usage error quotes what was typed, line breaks included; the others that have several lines mean them.
    typed = isinstance(error, UsageError) and not isinstance(error, ConfigError)
    lines = [f"error: {safe(line)}" for line in ([error.message] if typed else error.message.split("\n"))]
    if error.hint:
        lines.append(f"try: {safe(error.hint)}")
    lines += [safe(note) for note in getattr(error, "__notes__", [])]
    sys.stderr.write("\n".join(lines) + "\n")
    if "--json" in argv and not isinstance(error, GateError):  # whose result stands there already
        content = {"code": error.code, "message": error.message, "hint": error.hint}
        sys.stdout.write(json.dumps({"schema": 1, "verb": _verb(argv), "error": content}) + "\n")
        sys.stdout.flush()
    return error.code


def _usage_error(error: Exception, argv: Sequence[str]) -> UsageError:
    """Typer's complaint in our form: one line, one hint."""
    from dlcli.cli.app import verb_names
    from dlcli.cli.options import FLAGS

    verb = _verb(argv)
    known = verb if verb in verb_names() else ""
    page = " ".join(filter(None, ["dl", known, "--help"]))
    names = [getattr(error, "option_name", None), *getattr(getattr(error, "param", None), "opts", [])]
    options = [name for name in names if name]
    option = next(iter(options), "")
    if text := re.match(r"No such command '([^']*)'", str(error)):
        return UsageError(f"there is no command '{text[1]}'{did_you_mean(text[1], verb_names())}", hint=page)
    if hasattr(error, "possibilities"):
        return UsageError(f"dl {known} has no option '{option}'{suggestion(list(error.possibilities or []))}", hint=page)
    if "requires an argument" in str(error):
        flag = next((flag for flag in FLAGS.get(known, {}).values() if option in flag.names), None)
        return UsageError(f"{option} needs a value", hint=f"{option} {flag.metavar}" if flag else page)
    wanted = re.search(r"valid (integer|number|boolean)", str(error))
    if option.startswith("-") and wanted:
        return UsageError(f"{option} {_value_of(options, argv)}: expected {_EXPECTED[wanted[1]]}", hint=page)
    message = " ".join(str(getattr(error, "format_message", lambda: error)()).split())
    return UsageError(message.rstrip("."), hint=page)


def _value_of(options: Sequence[str], argv: Sequence[str]) -> str:
    """What was typed for an option, as in ``--epochs ten``, ``--epochs=ten`` or ``-bten``."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        for option in options:
            if word == option:
                return following
            if word.startswith(option):
                return word.removeprefix(option).removeprefix("=")
    return ""


def _verb(argv: Sequence[str]) -> str:
    return next((argument for argument in argv if not argument.startswith("-")), "")
