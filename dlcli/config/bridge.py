"""The bridge to Hydra, the only module that runs it: public ``hydra.main`` with ``sys.argv`` swapped for the call.

So Hydra's own multirun, launchers and sweepers work, while exceptions reach us typed (HYDRA_FULL_ERROR=1). Hydra makes
no folder but a sweep's, and configures no logging of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import math
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcli.config import mistakes
from dlcli.config.catalog import config_root, yaml_problem
from dlcli.config.compose import COMPOSITION_ERRORS, plain, quoted, search_path
from dlcli.config.invocation import Invocation
from dlcli.errors import ConfigError, DlcliError, Interrupted, StorageError, UsageError


class _SweepStopped(BaseException):
    """Carries an Interrupted through Hydra, which would start the next trial after any Exception."""


@dataclasses.dataclass
class _Outcomes:
    """What the jobs of one launch came to, in this process."""

    returned: list[Any] = dataclasses.field(default_factory=list)
    failures: list[Exception] = dataclasses.field(default_factory=list)


def launch(invocation: Invocation, task: str, *, config_dir: str | None = None, hydra_flags: Sequence[str] = ()) -> list[Any]:
    """Composes the configuration and runs ``task`` once, or once per trial of a sweep.

    Args:
        task: ``"module:function"`` taking (settings, invocation); imported after the configuration is composed.
        hydra_flags: Hydra's own flags, such as ``--multirun`` or ``--cfg=job``.

    Returns:
        What the task returned, a list; empty for trials that ran in other processes.

    Raises:
        ConfigError: with all mistakes found, one line each.
        Exception: the first failure of a job, after all trials of a sweep were tried.
    """
    if "--multirun" in hydra_flags:
        mistakes.refuse_bad_sweep(invocation.verb, invocation.overrides, config_dir)
    outcomes = _Outcomes()
    argv = [f"dl {invocation.verb}", *hydra_flags, *invocation.overrides, *_quiet_hydra(invocation)]
    try:
        with _environment(argv), search_path(config_dir), _argparse_of_python_3_14():
            main = hydra.main(version_base="1.3", config_path=str(config_root()), config_name=invocation.verb)
            main(_job(task, invocation, outcomes))()
    except _SweepStopped as stopped:
        raise stopped.args[0] from None
    except SystemExit as ended:
        if not hydra_flags or "--multirun" in hydra_flags:
            raise
        # Hydra was asked to print a part that is not there, and has said so.
        raise UsageError("Hydra cannot print that", hint=f"dl {invocation.verb} --cfg job") from ended
    except DlcliError:
        raise
    except COMPOSITION_ERRORS as error:
        # The values of a sweep are fine by now: what is left is its sweeper's or launcher's own complaint.
        found = [] if invocation.sweep else mistakes.collect(invocation.verb, invocation.overrides, config_dir)
        raise ConfigError(found or [yaml_problem(error)]) from error
    except OSError as error:
        raise StorageError(f"{error.filename}: {error.strerror}", hint="set DL_RUNS to a folder that you may write") from error
    if outcomes.failures:
        raise _first_failure(outcomes)
    return outcomes.returned


def new_sweep_id() -> str:
    """Returns the id of a sweep, made like a run's."""
    return f"{datetime.now(UTC).strftime('%Y%m%d-%H%M%S.%f')[:-3]}-{secrets.token_hex(3)}"


def _job(task: str, invocation: Invocation, outcomes: _Outcomes) -> Callable[[Any], float]:
    """What Hydra calls for each trial. It keeps failures from Hydra, which would print a line of its own about them."""
    process = os.getpid()

    def job(config: Any) -> float:
        try:
            result = _run_task(config, task, invocation)
        except Exception as error:
            if os.getpid() != process:  # a launcher's worker: Hydra brings the exception home
                raise
            if isinstance(error, Interrupted):
                raise _SweepStopped(error) from error
            outcomes.failures.append(error)
            return math.nan
        outcomes.returned.append(result)
        return _objective(result, config)

    return job


def _run_task(config: Any, task: str, invocation: Invocation) -> Any:
    runtime = HydraConfig.get()
    overrides = tuple(OmegaConf.to_container(runtime.overrides.task, resolve=False))  # as typed
    try:
        values = plain(config)
    except OmegaConfBaseException as error:
        raise ConfigError([f"{error.full_key}: {yaml_problem(error)}"]) from error
    settings, found = mistakes.check(invocation.verb, values, overrides=overrides)
    if settings is None or found:
        raise ConfigError(found)
    sweeping = runtime.mode == RunMode.MULTIRUN
    own = dataclasses.replace(
        invocation,
        overrides=overrides,
        choices={str(group): str(name) for group, name in runtime.runtime.choices.items() if name is not None},
        trial=int(runtime.job.num) if sweeping else None,
        # A trial's own command repeats the trial, not the sweep.
        arguments=(invocation.verb, *overrides, *invocation.lookup) if sweeping else invocation.arguments,
    )
    module, function = task.split(":")
    run: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return run(settings, own)


def _objective(result: Any, config: Any) -> float:
    """What a sweeper that optimises gets to see: the value that training selects by, never a test figure."""
    monitors = (config.get("trainer", {}).get("monitor"), "val/robust_accuracy", "val/accuracy", "cv/accuracy")
    found = next((name for name in monitors if result is not None and name in result.metrics), None)
    return float(result.value(found)) if found is not None else math.nan


def _first_failure(outcomes: _Outcomes) -> Exception:
    first, others = outcomes.failures[0], outcomes.failures[1:]
    total = len(outcomes.failures) + len(outcomes.returned)
    if total > 1:
        first.add_note(f"{len(outcomes.failures)} of {total} trials failed")
    for reason in dict.fromkeys(str(error) for error in others if str(error) != str(first)):
        first.add_note(f"another: {reason}")
    return first


def _quiet_hydra(invocation: Invocation) -> list[str]:
    """Overrides that keep Hydra from making folders; a sweep's folder is ours."""
    fixed = ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra.job.chdir=false"]
    if invocation.sweep is not None:
        root = Path(os.environ.get("DL_RUNS") or "runs").absolute() / "sweeps" / invocation.sweep
        fixed += [f"hydra.sweep.dir={quoted(str(root))}", "hydra.sweep.subdir=."]
    return fixed


@contextlib.contextmanager
def _environment(argv: list[str]) -> Iterator[None]:
    saved_argv, saved = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = argv, "1"
    try:
        yield
    finally:
        sys.argv = saved_argv
        if saved is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = saved


@contextlib.contextmanager
def _argparse_of_python_3_14() -> Iterator[None]:
    """Python 3.14's argparse checks help texts and refuses Hydra 1.3's lazy one; the check is off while Hydra parses."""
    check = getattr(argparse.ArgumentParser, "_check_help", None)
    if check is None:
        yield
        return
    argparse.ArgumentParser._check_help = lambda self, action: None  # type: ignore[attr-defined]
    try:
        yield
    finally:
        argparse.ArgumentParser._check_help = check  # type: ignore[attr-defined]
