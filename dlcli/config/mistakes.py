"""Finding everything that is wrong with an override list, and saying it in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import InterpolationResolutionError

from dlcli.config.catalog import entries, flattened, groups_of, read_yaml, yaml_problem
from dlcli.config.compose import COMPOSITION_ERRORS, compose
from dlcli.config.schema import Settings, settings_of
from dlcli.config.values import near_key
from dlcli.errors import ConfigError, did_you_mean

COMPONENTS = ("data", "augment", "model", "loss", "optimizer", "scheduler", "adversary", "attack", "explainer", "study")


def collect(verb: str, overrides: Sequence[str], config_dir: str | None) -> list[str]:
    """Returns one line per mistake: overrides are added one after the other, and each that fails is explained and left out."""
    values = _composed(verb, overrides, config_dir)
    found: list[str] = []
    accepted = list(overrides)
    if isinstance(values, Exception):
        values, accepted = _composed(verb, [], config_dir), []
        if isinstance(values, Exception):
            return [f"the configs themselves cannot be composed: {yaml_problem(values)}"]
        for text in _groups_first(verb, overrides, config_dir):
            attempt = _composed(verb, [*accepted, text], config_dir)
            if isinstance(attempt, Exception):
                found.append(_explain(attempt, verb, text, known=values, config_dir=config_dir))
            else:
                accepted, values = [*accepted, text], attempt
    return found + check(verb, values, overrides=accepted, known_mistakes=bool(found))[1]


def check(
    verb: str, values: Mapping[str, Any], *, overrides: Sequence[str], known_mistakes: bool = False
) -> tuple[Settings | None, list[str]]:
    """Returns the typed settings of a composed root, or None, and one line per mistake in types and ranges.

    Components are checked by importing their classes, and PyTorch with them: that is left out where there are mistakes
    already and no override touches a component.
    """
    settings, found = settings_of(verb, values)
    nodes = {group: values[group] for group in COMPONENTS if isinstance(values.get(group), Mapping)}
    touched = any(text.lstrip("+~").split("=", 1)[0].split(".", 1)[0] in nodes for text in overrides)
    if touched or not (found or known_mistakes):
        from dlcli.config.build import mistakes_of

        found = found + mistakes_of(nodes)
    return settings, found


def refuse_bad_sweep(verb: str, overrides: Sequence[str], config_dir: str | None) -> None:
    """Checks every value of a sweep before its first trial starts. Raises ConfigError."""
    variants = [options for options in map(_variants, overrides) if options]
    first = [options[0] for options in variants]
    trials = [first]
    for position, options in enumerate(variants):
        trials += [[*first[:position], option, *first[position + 1 :]] for option in options[1:]]
    found = [line for trial in trials for line in collect(verb, trial, config_dir)]
    if found:
        raise ConfigError(list(dict.fromkeys(found)))


def _composed(verb: str, overrides: Sequence[str], config_dir: str | None) -> dict[str, Any] | Exception:
    try:
        return compose(verb, overrides, config_dir=config_dir)
    except COMPOSITION_ERRORS as error:
        return error


def _explain(error: Exception, verb: str, blamed: str, *, known: Mapping[str, Any], config_dir: str | None) -> str:
    """What is wrong with the override ``blamed``, in the light of the keys that are ``known`` without it."""
    key, _, value = blamed.lstrip("+~").partition("=")
    parsed = _parsed(blamed)
    if parsed is None:
        quotes = "spaces, commas and accents need quotes inside: \"KEY='VALUE'\""
        return f"cannot read '{blamed}'; expected KEY=VALUE, +KEY=VALUE or ~KEY; {quotes}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        choices = list(entries(group, user=config_dir)) or list(error.options or [])
        where = "" if group == key else f"{blamed}: "
        shown = ", ".join(choices[:12]) + (" …" if len(choices) > 12 else "")
        return f"{where}there is no {group} '{name}'; expected one of {shown}{did_you_mean(name, choices)}"
    if parsed.is_sweep_override():
        return f"{blamed}: more than one value; add -m to try each, or write a list as {key}=[{value}]"
    if isinstance(error, InterpolationResolutionError | UserWarning | yaml.YAMLError):
        return f"{blamed}: {yaml_problem(error)}"
    paths = [*flattened(known), *groups_of(verb, user=config_dir)]
    if key not in paths:
        elsewhere = _belongs_to(key, paths, config_dir)
        return f"unknown key '{key}'{elsewhere or near_key(key, paths)}"
    if key in groups_of(verb, user=config_dir):
        return f"{blamed}: expected one of {', '.join(entries(key, user=config_dir))}"
    return f"{blamed}: {yaml_problem(error)}"


def _belongs_to(key: str, known: Sequence[str], config_dir: str | None) -> str:
    """What to choose first, where the chosen entry of the key's group has no settings at all, as adversary=none; else ""."""
    group, _, name = key.partition(".")
    if any(path.startswith(f"{group}.") and path != f"{group}._target_" for path in known):
        return ""
    owners = [entry for entry, path in entries(group, user=config_dir).items() if name and name in read_yaml(path)]
    return f"; write {' or '.join(f'{group}={owner}' for owner in owners[:3])} as well" if owners else ""


def _groups_first(verb: str, overrides: Sequence[str], config_dir: str | None) -> list[str]:
    groups = groups_of(verb, user=config_dir)
    return sorted(overrides, key=lambda text: text.split("=", 1)[0] not in groups)


def _variants(text: str) -> list[str]:
    """One override per value where it is a choice or a range; none where only Hydra or its sweeper knows the values."""
    parsed = _parsed(text)
    if parsed is None or not parsed.is_sweep_override():
        return [text]
    if not parsed.is_discrete_sweep():
        return []
    try:
        return [f"{text.split('=', 1)[0]}={value}" for value in parsed.sweep_string_iterator()]
    except HydraException:  # glob(*) needs a running Hydra
        return []


def _parsed(text: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(text)
    except (OverrideParseException, HydraException):
        return None
