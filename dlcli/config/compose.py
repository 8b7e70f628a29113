"""Composing a configuration from the shipped folder and the user's own. Nothing is run here."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcli.config.catalog import config_folders, config_root

# What composing raises where an override or a user's file is wrong.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, ValueError, yaml.YAMLError, UserWarning)
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./@-]*")
_INTERPOLATION = re.compile(r"(\\*)\$\{")
_SPECIAL = {"true", "false", "null", "nan", "inf"}


def compose(verb: str, overrides: Sequence[str], *, config_dir: str | None = None) -> dict[str, Any]:
    """Returns a root composed with overrides, as plain data, also inside a command. Raises one of ``COMPOSITION_ERRORS``."""
    with search_path(config_dir), _beside_a_command(), hydra.initialize_config_dir(str(config_root()), version_base="1.3"):
        return plain(hydra.compose(verb, overrides=list(overrides)))


def plain(config: Any) -> dict[str, Any]:
    """Returns a composed configuration as plain data; what has no value yet stays ``"???"``."""
    content = OmegaConf.to_container(config, resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def quoted(text: str) -> str:
    """Returns free text as one value of Hydra's override grammar: never a number, a list, a sweep or an interpolation."""
    if _BARE.fullmatch(text) and text.lower() not in _SPECIAL:
        return text
    literal = _INTERPOLATION.sub(lambda match: match[1] * 2 + "\\${", text)
    return str(QuotedString(literal, Quote.single).with_quotes())


@contextlib.contextmanager
def search_path(config_dir: str | None) -> Iterator[None]:
    """Puts the user's folder before the shipped one; Hydra's own ``--config-dir`` would put it behind."""
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        # A folder that is not there is only a warning to Hydra, before it says that nothing was found in it.
        warnings.filterwarnings("error", category=UserWarning, module=r"hydra\..*")
        if config_dir is not None:
            stack.enter_context(_registered(config_folders(config_dir)[0]))
        yield


@contextlib.contextmanager
def _beside_a_command() -> Iterator[None]:
    """Puts away the Hydra that runs a command for a while: there can be one at a time."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = outer


@contextlib.contextmanager
def _registered(folder: Path) -> Iterator[None]:
    class UserConfigs(SearchPathPlugin):  # type: ignore[misc]
        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            search_path.prepend("user", f"file://{folder}", anchor="main")

    plugins = Plugins.instance()
    plugins.register(UserConfigs)
    try:
        yield
    finally:
        plugins.class_name_to_class.pop(f"{UserConfigs.__module__}.{UserConfigs.__name__}", None)
        for known in plugins.plugin_type_to_subclass_list.values():
            known[:] = [plugin for plugin in known if plugin is not UserConfigs]
