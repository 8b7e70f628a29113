"""How a command was asked for."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from dlcli.config.invocation import Invocation


def test_an_invocation_is_an_ordinary_call_unless_told_otherwise() -> None:
    plain = Invocation(verb="train")
    assert not any((plain.quiet, plain.json, plain.open, plain.dry_run, plain.debug, plain.sweep, plain.trial))
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.verb = "attack"


def test_reading_an_invocation_needs_no_torch() -> None:
    code = "import sys, dlcli.config.invocation; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
