"""Signals become a flag that every loop polls; a second Ctrl-C ends the process at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dlcli.errors import Interrupted


class StopFlag:
    """Holds the number of the signal that asked for a stop, or None. Call it to read it."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __call__(self) -> int | None:
        return self.number

    def check(self) -> None:
        """Raises Interrupted where a signal has arrived."""
        if self.number is not None:
            raise Interrupted(f"stopped by {signal.Signals(self.number).name}", signal_number=self.number)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT:
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # a progress bar hides the cursor
            os._exit(128 + number)
        self.number = number


@contextmanager
def catching_signals() -> Iterator[StopFlag]:
    """Lends a flag that SIGINT and SIGTERM set; the old handlers come back. Outside the main thread the flag stays unset."""
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    old = {number: signal.signal(number, flag._receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
