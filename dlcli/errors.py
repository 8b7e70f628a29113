"""The error tree, and the exit code that each branch ends in.

    DlcliError                     1   the task failed
    ├── GateError                  1   the task is done, and its result trips a --fail-on
    ├── UsageError                 2   something the user typed
    │   └── ConfigError            2   one or more mistakes in the configuration
    ├── DataError                 65   the content of data or of a checkpoint is wrong
    ├── ComputeError              70   non-finite numbers, out of memory, a broken promise inside dlcli
    ├── StorageError              74   disk or network
    ├── LockedError               75   another process holds the run
    └── Interrupted          130, 143  SIGINT, SIGTERM

Every message says what is wrong and what was expected; ``hint`` says what to type instead.
A caller's programming mistake stays a ValueError or TypeError.
"""

from __future__ import annotations

import copyreg
import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class DlcliError(Exception):
    """Base of all errors that end a command with one clear message.

    Args:
        message: what is wrong and what was expected; one line.
        hint: what to type instead; one line, or None.
    """

    code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception's own way calls the constructor with ``args`` alone; trials in other processes send errors home.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class GateError(DlcliError):
    """The task is done and its result written (and printed, with ``--json``), and metrics trip bounds of ``--fail-on``."""


class UsageError(DlcliError):
    """Something the user typed cannot be used."""

    code = 2


class ConfigError(UsageError):
    """One or more mistakes in the configuration, one line each, at most eight shown."""

    SHOWN = 8

    def __init__(self, mistakes: Sequence[str], *, hint: str | None = None) -> None:
        self.mistakes = tuple(mistakes)
        shown = list(self.mistakes[: self.SHOWN])
        if len(self.mistakes) > self.SHOWN:
            shown[-1] = f"… and {len(self.mistakes) - self.SHOWN + 1} more mistakes"
        # A line break that the user typed is no line break between mistakes.
        super().__init__("\n".join(line.replace("\n", r"\x0a") for line in shown), hint=hint)


class DataError(DlcliError):
    """A data file or a checkpoint does not hold what it should."""

    code = 65


class ComputeError(DlcliError):
    """The computation cannot go on: non-finite numbers, out of memory, a broken contract."""

    code = 70


class StorageError(DlcliError):
    """Reading or writing failed: full disk, missing permission, unreachable network."""

    code = 74


class LockedError(DlcliError):
    """Another process is writing this run."""

    code = 75


class Interrupted(DlcliError):
    """A signal, or a time limit, asked the command to stop; the state is saved.

    Args:
        message: what was saved, and how to go on.
        signal_number: 2 (SIGINT) or 15 (SIGTERM), and the exit code is 128 + this number; None for a time limit, which ends
            in 1: what comes after in a script must not take the run for a finished one.
    """

    def __init__(self, message: str, *, signal_number: int | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = 1 if signal_number is None else 128 + signal_number


def nearest(word: str, choices: Iterable[str], *, limit: int = 3) -> list[str]:
    """Returns up to ``limit`` of ``choices`` that look like ``word`` in any case, best first."""
    pool: dict[str, list[str]] = {}
    for choice in sorted(set(choices)):
        pool.setdefault(choice.casefold(), []).append(choice)
    close = difflib.get_close_matches(word.casefold(), pool, n=limit, cutoff=0.6)
    # Among spellings that differ in case alone the typed one comes first.
    return [choice for key in close for choice in sorted(pool[key], key=lambda choice: choice != word)][:limit]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Returns ``"; did you mean 'a' or 'b'?"``, or ``""`` where nothing is near."""
    return suggestion(nearest(word, choices))


class Terminated(BaseException):
    """SIGTERM came while nothing polls for it yet. Like KeyboardInterrupt it is no Exception: imports swallow those."""


def suggestion(close: Sequence[str]) -> str:
    """Returns ``"; did you mean 'a' or 'b'?"`` for the choices in ``close``, or ``""`` where there are none."""
    if not close:
        return ""
    named = [f"'{choice}'" for choice in close]
    listed = named[0] if len(named) == 1 else ", ".join(named[:-1]) + " or " + named[-1]
    return f"; did you mean {listed}?"
