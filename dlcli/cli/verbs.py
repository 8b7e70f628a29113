"""The five verbs that make a run. Each turns words and flags into Hydra overrides and hands a task to the bridge."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlcli.cli.options import FLAGS, OUTPUT, Flag
from dlcli.cli.own_data import EXPERIMENTS, kind_of, overrides_of
from dlcli.cli.study_flags import refuse_foreign_flags
from dlcli.cli.transfer import backbone_defaults, refuse_two_limits
from dlcli.errors import UsageError, did_you_mean
from dlcli.report.text import safe

TASKS = {verb: f"dlcli.commands.{verb}:{verb}" for verb in FLAGS}
_CFG = ("job", "hydra", "all")
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
# Flags that make no sense for a run that only goes on.
_NOT_RESUMED = ("multirun", "seeds", "cfg", "package", "info", "dry_run")
# Names as papers write them, which no file should have.
_SPELLINGS = {"gradcam++": "gradcam_pp"}
_SHOWN = ("quiet", "json", "open", "dry_run", "debug")


def run_verb(verb: str, words: Sequence[str], values: Mapping[str, Any]) -> list[Any]:
    """Runs a verb as typed and returns its results. Raises DlcliError."""
    from dlcli.config.catalog import group_of_word, override_key
    from dlcli.config.library import spelled_out

    bare, overrides = split_words(words)
    overrides = spelled_out(overrides)
    refuse_foreign_flags(verb, bare, values)
    if bare is not None:
        bare = _SPELLINGS.get(bare, bare)
        group = group_of_word(verb, bare, user=values["config_dir"])
        overrides = [f"{override_key(group)}={bare}", *overrides]
    elif verb == "train" and values.get("resume") is None and (kind := kind_of(values)) is not None:
        overrides = [f"experiment={EXPERIMENTS[kind]}", *overrides]
    with trusting(values["trust"]):
        if values.get("resume") is not None:
            return _resume(verb, bare, overrides, values)
        return _launch(verb, words, overrides, values)


def split_words(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Returns the bare word (or None) and the overrides: what contains ``=`` or starts with ``+`` or ``~``. Raises UsageError."""
    overrides = [word for word in words if "=" in word or word.startswith(("~", "+"))]
    bare = [word for word in words if word not in overrides]
    if len(bare) > 1:
        raise UsageError(
            f"one bare word at most, got '{bare[0]}' and '{bare[1]}'",
            hint=f"{bare[0]} {bare[1]}=VALUE if it is a key, or {bare[0]},{bare[1]} -m to try each",
        )
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
    from dlcli.config.library import spelled_out

    found = []
    for name, flag in FLAGS[verb].items():
        value = values.get(name)
        if flag.key is not None and value is not None and value is not False:
            found.append(f"{flag.key}={_override_value(flag, value)}")
    return spelled_out(found) + overrides_of(values)


def command_line(verb: str, words: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Returns what to type after ``dl`` to do the same again; how the answer is shown is left out."""
    typed = [verb, *words]
    for name, flag in FLAGS[verb].items():
        if values.get(name) != flag.default and flag.panel != OUTPUT:
            typed += flag.typed(values[name])
    return typed


def _override_value(flag: Flag, value: Any) -> str:
    if value is True:
        return flag.on
    if flag.type is not str or flag.number:
        return str(value)
    from dlcli.config.compose import quoted

    return quoted(str(value))


def _launch(verb: str, words: Sequence[str], overrides: list[str], values: Mapping[str, Any]) -> list[Any]:
    flags = _hydra_flags(values)
    refuse_two_limits(overrides, full_test=bool(values.get("full_test")))
    typed = flag_overrides(verb, values)
    typed = [*backbone_defaults(verb, [*typed, *overrides]), *typed]
    if not flags and _is_sweep(verb, overrides, values):
        flags = ["--multirun"]
    seeds = values.get("seeds")
    if seeds is not None:
        if seeds < 1:
            raise UsageError(f"--seeds {seeds}: expected 1 or more", hint="--seeds 5")
        if any(text.startswith("seed=") for text in overrides):
            raise UsageError("--seeds and seed= exclude each other", hint=f"--seeds {seeds}, or -m seed=5,6")
        typed = [text for text in typed if not text.startswith("seed=")]
        typed.append("seed=" + ",".join(map(str, range(seeds))))
        flags = ["--multirun"]
    sweeping = "--multirun" in flags
    if sweeping and (values["json"] or values["dry_run"]):
        raise UsageError("--json and --dry-run describe one run, not a sweep", hint="dl runs --json afterwards")
    if values["json"] and values["dry_run"]:
        raise UsageError("--dry-run makes no result that --json could print", hint="one of the two")
    arguments = command_line(verb, words, values)
    if sweeping or not flags:
        _first_line(arguments, quiet=values["quiet"])
    from dlcli.config import bridge
    from dlcli.config.invocation import Invocation

    shown: dict[str, Any] = {name: bool(values[name]) for name in _SHOWN}
    invocation = Invocation(
        verb=verb,
        arguments=tuple(arguments),
        lookup=tuple(word for name in ("config_dir", "trust") if values[name] for word in FLAGS[verb][name].typed(values[name])),
        overrides=(*typed, *overrides),
        sweep=bridge.new_sweep_id() if sweeping else None,
        **shown,
    )
    if not sweeping:
        return bridge.launch(invocation, TASKS[verb], config_dir=values["config_dir"], hydra_flags=flags)
    from dlcli.commands.sweep import concluding

    with concluding(invocation):
        return bridge.launch(invocation, TASKS[verb], config_dir=values["config_dir"], hydra_flags=flags)


def _is_sweep(verb: str, overrides: Sequence[str], values: Mapping[str, Any]) -> bool:
    """Whether the experiment sweeps by itself, and is not only shown or tried."""
    from dlcli.config.catalog import sweeps

    experiment = next((text.partition("=")[2] for text in overrides if text.startswith("experiment=")), None)
    return verb == "train" and experiment is not None and bool(sweeps(experiment, user=values["config_dir"]))


def _resume(verb: str, bare: str | None, overrides: Sequence[str], values: Mapping[str, Any]) -> list[Any]:
    if bare is not None:
        raise UsageError(f"--resume continues a run as it was; '{bare}' has no place", hint=f"dl {verb} --resume RUN")
    refused = next((FLAGS[verb][name].names[0] for name in _NOT_RESUMED if values.get(name) not in {None, False}), None)
    if refused is not None:
        raise UsageError(f"--resume continues one run as it was; {refused} has no place", hint=f"dl {verb} --resume RUN")
    arguments = [verb, "--resume", values["resume"], *overrides]
    _first_line(arguments, quiet=values["quiet"])
    from importlib import import_module

    from dlcli.config.invocation import Invocation

    resume = import_module("dlcli.commands.attack_resume" if verb == "attack" else "dlcli.commands.train").resume

    changes = [*flag_overrides(verb, values), *overrides]
    shown: dict[str, Any] = {name: bool(values[name]) for name in _SHOWN}
    return [resume(verb, values["resume"], changes, Invocation(verb=verb, arguments=tuple(arguments), **shown))]


def _hydra_flags(values: Mapping[str, Any]) -> list[str]:
    """Hydra's own flags; its parser would end the process on a wrong one, so they are checked here. Raises UsageError."""
    for name, choices in (("cfg", _CFG), ("info", _INFO)):
        value = values[name]
        if value is not None and value not in choices:
            near = did_you_mean(value, choices)
            raise UsageError(f"--{name} {value}: expected one of {', '.join(choices)}{near}", hint=f"--{name} {choices[0]}")
    if values["package"] is not None and values["cfg"] is None:
        raise UsageError("--package names a part of what --cfg prints", hint=f"--cfg job --package {values['package']}")
    for name in ("cfg", "info"):
        if values[name] is not None and (values["multirun"] or values.get("seeds") is not None):
            raise UsageError(f"--{name} shows one configuration", hint=f"--{name} without --multirun and --seeds")
    flags = ["--multirun"] if values["multirun"] else []
    return flags + [f"--{name}={values[name]}" for name in ("cfg", "package", "info") if values[name] is not None]


def _first_line(arguments: Sequence[str], *, quiet: bool) -> None:
    """Says at once what is going on: PyTorch takes seconds to load."""
    if not quiet:
        sys.stderr.write(f"{safe(shlex.join(['dl', *arguments]))} · loading PyTorch …\n")
        sys.stderr.flush()
