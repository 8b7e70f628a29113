"""The five verbs that make a run. Each turns words and flags into Hydra overrides and hands a task to the bridge."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.cli.options import FLAGS
from dlcli.errors import UsageError
from dlcli.report.text import safe

TASKS = {verb: f"dlcli.commands.{verb}:{verb}" for verb in FLAGS}


def run_verb(verb: str, words: Sequence[str], values: Mapping[str, Any]) -> list[Any]:
    """Runs a verb as typed and returns its results. Raises DlcliError."""
    from dlcli.config.catalog import group_of_word

    bare, overrides = split_words(words)
    user = values["config_dir"]
    if bare is not None:
        overrides = [f"{group_of_word(verb, bare, user=user)}={bare}", *overrides]
    with trusting(values["trust"]):
        if values.get("resume") is not None:
            return _resume(verb, bare, overrides[1:] if bare else overrides, values)
        flags = _hydra_flags(values)
        if not flags or "--multirun" in flags:
            _first_line(verb, words, quiet=values["quiet"])
        return _launch(verb, overrides, flags, values)


def split_words(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Returns the bare word (or None) and the overrides: what contains ``=`` or starts with ``+`` or ``~``. Raises UsageError."""
    overrides = [word for word in words if "=" in word or word.startswith(("~", "+"))]
    bare = [word for word in words if word not in overrides]
    if len(bare) > 1:
        raise UsageError(f"one bare word at most, got '{bare[0]}' and '{bare[1]}'", hint=f"{bare[1]}=VALUE if it is a key")
    return (bare[0] if bare else None), overrides


@contextlib.contextmanager
def trusting(package: str | None) -> Iterator[None]:
    """Adds a package to ``$DL_TRUST`` for one command, so that sweeps in other processes trust it too."""
    before = os.environ.get("DL_TRUST")
    if package is not None:
        os.environ["DL_TRUST"] = ",".join(filter(None, [before, package]))
    try:
        yield
    finally:
        if package is not None:
            if before is None:
                del os.environ["DL_TRUST"]
            else:
                os.environ["DL_TRUST"] = before


def flag_overrides(verb: str, values: Mapping[str, Any]) -> list[str]:
    """Returns the typed flags as overrides; they stand before the user's own, so a ``KEY=VALUE`` wins."""
    from dlcli.config.mistakes import quoted

    found = []
    for name, flag in FLAGS[verb].items():
        value = values.get(name)
        if flag.key is not None and value is not None and value is not False:
            text = "true" if value is True else quoted(value) if isinstance(value, str) else str(value)
            found.append(f"{flag.key}={text}")
    return found


def _launch(verb: str, overrides: list[str], flags: list[str], values: Mapping[str, Any]) -> list[Any]:
    from dlcli.config import bridge
    from dlcli.config.schema import Invocation

    typed = flag_overrides(verb, values)
    if values.get("seeds") is not None:
        if values["seeds"] < 1:
            raise UsageError(f"--seeds {values['seeds']}: expected 1 or more")
        typed = [text for text in typed if not text.startswith("seed=")]
        typed.append("seed=" + ",".join(map(str, range(values["seeds"]))))
        flags = ["--multirun", *[flag for flag in flags if flag != "--multirun"]]
    sweeping = "--multirun" in flags
    if sweeping and (values["json"] or values["dry_run"]):
        raise UsageError("--json and --dry-run describe one run, not a sweep", hint="dl runs --json afterwards")
    invocation = Invocation(
        verb=verb,
        arguments=tuple(sys.argv[1:]),
        overrides=(*typed, *overrides),
        sweep=bridge.new_sweep_id() if sweeping else None,
        **{name: bool(values[name]) for name in ("quiet", "json", "open", "dry_run", "debug")},
    )
    if not sweeping:
        return bridge.launch(invocation, TASKS[verb], config_dir=values["config_dir"], hydra_flags=flags)
    from dlcli.commands.sweep import concluding

    with concluding(invocation):
        return bridge.launch(invocation, TASKS[verb], config_dir=values["config_dir"], hydra_flags=flags)


def _resume(verb: str, bare: str | None, overrides: Sequence[str], values: Mapping[str, Any]) -> list[Any]:
    if bare is not None:
        raise UsageError(f"--resume continues a run as it was; '{bare}' has no place", hint=f"dl {verb} --resume RUN")
    _first_line(verb, ["--resume", values["resume"]], quiet=values["quiet"])
    from dlcli.commands.train import resume
    from dlcli.config.schema import Invocation

    changes = [*flag_overrides(verb, values), *overrides]
    shown = {name: bool(values[name]) for name in ("quiet", "json", "open", "debug")}
    return [resume(verb, values["resume"], changes, Invocation(verb=verb, arguments=tuple(sys.argv[1:]), **shown))]


def _hydra_flags(values: Mapping[str, Any]) -> list[str]:
    flags = ["--multirun"] if values["multirun"] else []
    for name in ("cfg", "package", "info"):
        if values[name] is not None:
            flags += [f"--{name}={values[name]}"]
    choices = {"cfg": ("job", "hydra", "all")}
    if values["cfg"] is not None and values["cfg"] not in choices["cfg"]:
        raise UsageError(f"--cfg {values['cfg']}: expected one of {', '.join(choices['cfg'])}")
    if values["cfg"] is not None and values["multirun"]:
        raise UsageError("--cfg shows one configuration; leave out --multirun")
    return flags


def _first_line(verb: str, words: Sequence[str], *, quiet: bool) -> None:
    """Says at once what is going on: PyTorch takes seconds to load."""
    if not quiet:
        shown = " ".join(["dl", verb, *words])
        sys.stderr.write(f"{safe(shown)} · loading PyTorch …\n")
        sys.stderr.flush()


def data_folder() -> Path | None:
    """Returns ``$DL_DATA`` as a path, or None."""
    value = os.environ.get("DL_DATA")
    return Path(value) if value else None
