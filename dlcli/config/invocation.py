"""How a command was asked for. No torch in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How a command was asked for: what is not configuration.

    Args:
        arguments: a command line after ``dl`` that repeats the run.
        lookup: the part of it that says where configs and classes are found: ``--config-dir``, ``--trust``.
        overrides: Hydra overrides in force.
        choices: group → chosen entry.
        sweep, trial: id of the sweep and number of the trial, or None.
        quiet, json, open, dry_run, debug: how to answer.
    """

    verb: str
    arguments: tuple[str, ...] = ()
    lookup: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    sweep: str | None = None
    trial: int | None = None
    quiet: bool = False
    json: bool = False
    open: bool = False
    dry_run: bool = False
    debug: bool = False
