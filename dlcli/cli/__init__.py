"""The command line: light to import, no torch and no Hydra before they are needed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from dlcli.errors import Terminated


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs ``dl`` and ends the process with the documented exit code."""
    from dlcli.cli.answer import exit_code_of
    from dlcli.cli.memory import keep_freed_memory

    keep_freed_memory()
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = exit_code_of(sys.argv[1:] if arguments is None else arguments)
    finally:
        signal.signal(signal.SIGTERM, previous)
    sys.exit(code)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
