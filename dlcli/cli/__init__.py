"""The command line: light to import, no torch and no Hydra before they are needed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from dlcli.errors import Interrupted


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs ``dl`` and ends the process with the documented exit code."""
    from dlcli.cli.answer import exit_code_of

    argv = with_default_values(list(sys.argv[1:] if arguments is None else arguments))
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = exit_code_of(argv)
    finally:
        signal.signal(signal.SIGTERM, previous)
    sys.exit(code)


def with_default_values(argv: list[str]) -> list[str]:
    """Returns the arguments with ``latest`` after a ``--resume`` that stands alone."""
    result: list[str] = []
    for position, argument in enumerate(argv):
        result.append(argument)
        following = argv[position + 1] if position + 1 < len(argv) else None
        if argument == "--resume" and (following is None or following.startswith("-") or "=" in following):
            result.append("latest")
    return result


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise Interrupted("stopped by SIGTERM", signal_number=number)
