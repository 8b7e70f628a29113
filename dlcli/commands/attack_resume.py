"""``dl attack --resume``: an attack or a report that was stopped goes on."""

from __future__ import annotations

from collections.abc import Sequence

from dlcli.commands import attack, attack_report
from dlcli.commands.console import Talk
from dlcli.commands.session import print_result
from dlcli.config.invocation import Invocation
from dlcli.config.schema import AttackSettings, checked_settings
from dlcli.config.stored import read_stored
from dlcli.errors import UsageError
from dlcli.runs.find import find_unfinished
from dlcli.runs.record import Result
from dlcli.runs.run import read_config


def resume(verb: str, reference: str | None, changes: Sequence[str], invocation: Invocation) -> Result | None:
    """Goes on with an unfinished attack or report: what it had finished is not run again. Raises UsageError, DataError."""
    if changes:
        raise UsageError(f"'{changes[0]}' cannot change when an attack is resumed", hint="dl attack starts anew")
    info = find_unfinished(verb, reference)
    if info.result is not None:
        Talk.of(invocation).line(f"run {info.id} is finished; nothing to do")
        print_result(info.result, invocation)
        return info.result
    settings = checked_settings(verb, read_stored(read_config(info.path), source=f"{info.path}/config.yaml"))
    assert isinstance(settings, AttackSettings)
    goes_on = attack.resumed if settings.study is None else attack_report.resumed
    return goes_on(info, settings, invocation)
