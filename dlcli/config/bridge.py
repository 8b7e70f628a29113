"""The bridge to Hydra, the only module that runs it: public ``hydra.main`` with ``sys.argv`` swapped for the call.

So Hydra's own multirun, launchers and sweepers work, while exceptions reach us typed (HYDRA_FULL_ERROR=1). Hydra makes
no folder and configures no logging of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import os
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcli.config import mistakes
from dlcli.config.catalog import config_folders, config_root
from dlcli.config.schema import Invocation, checked_settings, settings_of
from dlcli.errors import ConfigError, DlcliError


def launch(invocation: Invocation, task: str, *, config_dir: str | None = None, hydra_flags: Sequence[str] = ()) -> list[Any]:
    """Composes the configuration and runs ``task`` once, or once per trial of a sweep.

    Args:
        task: ``"module:function"`` taking (settings, invocation); imported after the configuration is composed.
        hydra_flags: Hydra's own flags, such as ``--multirun`` or ``--cfg job``.

    Returns:
        What the task returned, a list; empty for trials that ran in other processes.

    Raises:
        ConfigError: with all mistakes found, one line each.
    """
    returned: list[Any] = []
    sweeping = "--multirun" in hydra_flags
    prints_only = any(flag.startswith(("--cfg", "--info")) for flag in hydra_flags)
    if sweeping:
        mistakes.refuse_bad_sweep(invocation.verb, invocation.overrides, config_dir)
    overrides = [*invocation.overrides, *_quiet_hydra(invocation)]
    check = mistakes.warn_of_new_keys if not prints_only else None
    if check is not None:
        check(invocation.verb, invocation.overrides, config_dir)

    def job(config: Any) -> None:
        returned.append(_run_task(config, task, invocation))

    argv = [f"dl {invocation.verb}", *hydra_flags, *overrides]
    with _environment(argv), _user_configs(config_dir), _argparse_of_python_3_14():
        try:
            main = hydra.main(version_base="1.3", config_path=str(config_root()), config_name=invocation.verb)
            main(job)()
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            found = mistakes.collect(invocation.verb, invocation.overrides, config_dir)
            if not found and not isinstance(error, HydraException | OmegaConfBaseException):
                raise
            raise ConfigError(found or [str(error).splitlines()[0]]) from error
    return returned


def compose(verb: str, overrides: Sequence[str], *, config_dir: str | None = None) -> dict[str, Any]:
    """Returns a root composed with overrides, as plain data; for tests and for finding mistakes. Raises Hydra's errors."""
    with _user_configs(config_dir), hydra.initialize_config_dir(str(config_root()), version_base="1.3"):
        return _plain(hydra.compose(verb, overrides=list(overrides)))


def read_stored(data: bytes, *, source: str) -> dict[str, Any]:
    """Returns a run's ``config.yaml`` as plain data; nothing in it is resolved, no interpolation, no tag. Raises ConfigError."""
    import yaml

    if len(data) > 1_000_000:
        raise ConfigError([f"{source} is larger than 1 MB; expected a configuration"])
    try:
        if any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(data)):
            raise ConfigError([f"{source} uses YAML anchors; expected a configuration written by dlcli"])
        content = yaml.safe_load(data)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError([f"{source} is not plain YAML: {str(error).splitlines()[0]}"]) from error
    if not isinstance(content, dict):
        raise ConfigError([f"{source} does not hold a mapping"])
    return content


def as_yaml(settings: Any) -> bytes:
    """Returns settings as ``config.yaml``: plain values in the schema's order."""
    import yaml

    return yaml.safe_dump(dataclasses.asdict(settings), sort_keys=False, allow_unicode=True).encode()


def new_sweep_id() -> str:
    """Returns the id of a sweep, made like a run's."""
    return f"{datetime.now(UTC).strftime('%Y%m%d-%H%M%S.%f')[:-3]}-{secrets.token_hex(3)}"


def _run_task(config: Any, task: str, invocation: Invocation) -> Any:
    values = _plain(config)
    runtime = HydraConfig.get()
    sweeping = runtime.mode == RunMode.MULTIRUN
    nodes = {group: values[group] for group in mistakes.COMPONENTS if isinstance(values.get(group), Mapping)}
    settings, found = settings_of(invocation.verb, values)
    if not found or importlib.util.find_spec("torch") is not None:
        from dlcli.config.build import mistakes_of

        found = found + mistakes_of(nodes)
    if found:
        raise ConfigError(found)
    if settings is None:
        settings = checked_settings(invocation.verb, values)
    own = dataclasses.replace(
        invocation,
        overrides=tuple(override for override in runtime.overrides.task),
        choices={str(group): str(name) for group, name in runtime.runtime.choices.items() if name is not None},
        trial=int(runtime.job.num) if sweeping else None,
    )
    module, function = task.split(":")
    run: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return run(settings, own)


def _plain(config: Any) -> dict[str, Any]:
    content = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def _quiet_hydra(invocation: Invocation) -> list[str]:
    """Overrides that keep Hydra from making folders; a sweep's folder is ours."""
    fixed = ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra.job.chdir=false"]
    if invocation.sweep is not None:
        root = Path(os.environ.get("DL_RUNS") or "runs").absolute() / "sweeps" / invocation.sweep
        fixed += [f"hydra.sweep.dir={mistakes.quoted(str(root))}", "hydra.sweep.subdir=."]
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
def _user_configs(config_dir: str | None) -> Iterator[None]:
    """Puts the user's folder before the shipped one; Hydra's own ``--config-dir`` would put it behind."""
    if config_dir is None:
        yield
        return
    folder = config_folders(config_dir)[0]

    class UserConfigs(SearchPathPlugin):
        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            search_path.prepend("user", f"file://{folder}", anchor="main")

    plugins = Plugins.instance()
    plugins.register(UserConfigs)
    try:
        yield
    finally:
        plugins.class_name_to_class.pop(f"{UserConfigs.__module__}.{UserConfigs.__qualname__}", None)
        for known in plugins.plugin_type_to_subclass_list.values():
            known[:] = [plugin for plugin in known if plugin is not UserConfigs]


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


warnings.filterwarnings("ignore", module=r"hydra\..*")
__all__ = ["DlcliError", "as_yaml", "compose", "launch", "new_sweep_id", "read_stored"]
