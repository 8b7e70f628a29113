"""Finding everything that is wrong with an override list, and saying it in one line each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from dlcli.config.catalog import entries, groups_of, keys_of
from dlcli.config.schema import settings_of
from dlcli.errors import ConfigError, did_you_mean, nearest

COMPONENTS = ("data", "augment", "model", "loss", "optimizer", "scheduler", "adversary", "attack", "explainer")
_BARE = re.compile(r"[A-Za-z0-9_./@%+-]+")


def quoted(text: str) -> str:
    """Returns free text as one value of Hydra's override grammar."""
    if _BARE.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def collect(verb: str, overrides: Sequence[str], config_dir: str | None) -> list[str]:
    """Returns one line per mistake: overrides are added one after the other, and each that fails is explained and left out."""
    accepted: list[str] = []
    found: list[str] = []
    for text in _groups_first(verb, overrides, config_dir):
        for variant in _variants(text):
            line = _try(verb, [*accepted, variant], variant, config_dir)
            if line is not None:
                found.append(line)
                break
        else:
            accepted.append(next(iter(_variants(text))))
    values = _composed(verb, accepted, config_dir)
    if values is not None:
        found += settings_of(verb, values)[1]
    return found


def refuse_bad_sweep(verb: str, overrides: Sequence[str], config_dir: str | None) -> None:
    """Checks every value of a sweep before its first trial starts. Raises ConfigError."""
    found: list[str] = []
    for text in overrides:
        others = [next(iter(_variants(other))) for other in overrides if other is not text]
        for variant in _variants(text):
            line = _try(verb, [*others, variant], variant, config_dir)
            values = _composed(verb, [*others, variant], config_dir) if line is None else None
            found += [line] if line is not None else settings_of(verb, values)[1] if values is not None else []
    if found:
        raise ConfigError(list(dict.fromkeys(found)))


def warn_of_new_keys(verb: str, overrides: Sequence[str], config_dir: str | None) -> None:
    """Refuses ``+typo=1`` where the key is close to a known one: Hydra would add it without a word. Raises ConfigError."""
    added = [text[1:].split("=", 1)[0] for text in overrides if text.startswith("+") and not text.startswith("++")]
    if not added:
        return
    known = [key for key, _ in keys_of(verb, user=config_dir)]
    lines = [f"new key '+{key}'{did_you_mean(key, known)}" for key in added if key not in known and nearest(key, known)]
    if lines:
        raise ConfigError(lines)


def _try(verb: str, overrides: Sequence[str], blamed: str, config_dir: str | None) -> str | None:
    from dlcli.config.bridge import compose

    try:
        compose(verb, overrides, config_dir=config_dir)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        return _explain(error, verb, blamed, config_dir)
    return None


def _composed(verb: str, overrides: Sequence[str], config_dir: str | None) -> dict[str, Any] | None:
    from dlcli.config.bridge import compose

    try:
        return compose(verb, overrides, config_dir=config_dir)
    except (HydraException, OmegaConfBaseException, ValueError):
        return None


def _explain(error: Exception, verb: str, blamed: str, config_dir: str | None) -> str:
    key, _, value = blamed.lstrip("+~").partition("=")
    if isinstance(error, OverrideParseException) or "=" not in blamed and not blamed.startswith("~"):
        return f"cannot read '{blamed}'; expected KEY=VALUE, +KEY=VALUE or ~KEY (quote values with spaces or commas)"
    if isinstance(error, MissingConfigException):
        choices = list(entries(key, user=config_dir))
        return f"there is no {key} '{value}'{did_you_mean(value, choices)}; {key} is one of {', '.join(choices[:12])}"
    if isinstance(error, ConfigCompositionException | OmegaConfBaseException):
        known = [name for name, _ in keys_of(verb, user=config_dir)] + groups_of(verb, user=config_dir)
        suggestion = did_you_mean(key, known) or _by_last_part(key, known)
        return f"unknown key '{key}'{suggestion}"
    return f"{blamed}: {str(error).splitlines()[0]}"


def _by_last_part(key: str, known: Sequence[str]) -> str:
    """Finds ``optimizer.lr`` for ``lr``, and ``optimizer.lr`` for ``optimzer.lrr``."""
    last = key.rsplit(".", 1)[-1]
    same = [name for name in known if name.rsplit(".", 1)[-1] in nearest(last, [other.rsplit(".", 1)[-1] for other in known])]
    return f"; did you mean '{same[0]}'?" if same else ""


def _groups_first(verb: str, overrides: Sequence[str], config_dir: str | None) -> list[str]:
    groups = set(groups_of(verb, user=config_dir)) | {"experiment"}
    return sorted(overrides, key=lambda text: text.split("=", 1)[0] not in groups)


def _variants(text: str) -> Iterator[str]:
    """The override itself, or one override per value where it is a choice sweep."""
    parsed: Override | None = None
    try:
        parsed = OverridesParser.create().parse_override(text)
    except (OverrideParseException, HydraException):
        pass
    if parsed is not None and parsed.is_discrete_sweep():
        key = text.split("=", 1)[0]
        yield from (f"{key}={value}" for value in parsed.sweep_string_iterator())
    else:
        yield text
