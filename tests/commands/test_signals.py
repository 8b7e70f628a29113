"""Signals become a flag; a second Ctrl-C does not wait."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.errors import Interrupted


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_sets_the_flag_and_the_next_check_ends_with_its_code(number: signal.Signals, code: int) -> None:
    with catching_signals() as flag:
        flag.check()
        os.kill(os.getpid(), number)
        assert flag() == number
        with pytest.raises(Interrupted, match=f"stopped by {number.name}") as caught:
            flag.check()
        assert caught.value.code == code


def test_the_old_handlers_come_back_also_after_an_exception() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyError), catching_signals():
        raise KeyError
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_outside_the_main_thread_the_flag_stays_unset_and_nothing_breaks() -> None:
    found: list[StopFlag] = []

    def work() -> None:
        with catching_signals() as flag:
            found.append(flag)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0]() is None


@pytest.mark.parametrize(
    ("first", "second", "code"), [("SIGINT", "SIGINT", 130), ("SIGTERM", "SIGINT", 130), ("SIGTERM", "SIGTERM", 3)]
)
def test_a_second_ctrl_c_ends_the_process_at_once_and_a_second_sigterm_does_not(
    python: Callable[..., Any], first: str, second: str, code: int
) -> None:
    answer = python(
        "import os, signal, sys\nfrom dlcli.commands.signals import catching_signals\n"
        "with catching_signals():\n"
        f"    os.kill(os.getpid(), signal.{first})\n    print('first', flush=True)\n"
        f"    os.kill(os.getpid(), signal.{second})\nsys.exit(3)\n"
    )
    assert (answer.code, answer.out) == (code, "first\n")
