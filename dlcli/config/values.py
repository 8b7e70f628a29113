"""One check of types for everything that comes from YAML or the command line: roots, trainer and components alike."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

from dlcli.errors import did_you_mean, nearest, suggestion

_FRACTION = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*/\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*")
_EXAMPLES = {int: "3", float: "0.1 or 8/255", bool: "true", str: "name"}
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def convert(value: Any, annotation: Any) -> Any:
    """Returns ``value`` as the annotation wants it: ``8/255`` and whole numbers become floats, lists are checked inside.

    Annotations that are not plain data (tensors, modules) accept anything. Raises ValueError saying what was expected.
    """
    origin = typing.get_origin(annotation)
    if origin in {Union, types.UnionType}:
        return _convert_union(value, typing.get_args(annotation))
    if origin is Literal:
        choices = typing.get_args(annotation)
        if value not in choices:
            listed = ", ".join(map(str, choices))
            raise ValueError(f"expected one of {listed}{did_you_mean(str(value), map(str, choices))}")
        return value
    if origin in {list, tuple, Sequence} or annotation in {list, tuple}:
        return _convert_list(value, typing.get_args(annotation))
    if annotation is type(None):
        if value is not None:
            raise ValueError("expected null")
        return None
    if annotation in _WORDS:
        return _convert_plain(value, annotation)
    return value


def mistakes_in(
    values: Mapping[str, Any], owner: type, *, prefix: str, ignore: frozenset[str] = frozenset()
) -> tuple[dict[str, Any], list[str]]:
    """Converts ``values`` for the constructor of ``owner``; returns the converted values and one line per mistake.

    Args:
        prefix: the config key that the values stand under, such as ``optimizer``; empty for a root.
        ignore: parameters that are given at build time and may not be set.
    """
    parameters = constructor_parameters(owner)
    converted, mistakes = {}, []
    for name, value in values.items():
        path = f"{prefix}.{name}" if prefix else name
        if name not in parameters or name in ignore:
            choices = [f"{prefix}.{known}" if prefix else known for known in parameters if known not in ignore]
            mistakes.append(f"unknown key '{path}'{near_key(path, choices)}")
            continue
        if value == "???":  # what YAML calls a value that must be given
            mistakes.append(_missing(path))
            continue
        try:
            converted[name] = convert(value, parameters[name])
        except ValueError as error:
            mistakes.append(f"{path}={_shown(value)}: {error}")
    for name, parameter in inspect.signature(owner).parameters.items():
        variadic = parameter.kind in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
        if parameter.default is parameter.empty and name not in values and name not in ignore and not variadic:
            mistakes.append(_missing(f"{prefix}.{name}" if prefix else name))
    return converted, mistakes


def near_key(key: str, known: Sequence[str]) -> str:
    """Returns what to type instead of the unknown dotted ``key``: a near name beside it, else what there is beside it, or where
    nothing is beside it its last part elsewhere."""
    head, _, last = key.rpartition(".")
    beside = {path.rpartition(".")[2]: path for path in known if path.rpartition(".")[0] == head}
    close = [beside[name] for name in nearest(last, beside)]
    if not close and head and beside:
        return f"; {head} has {', '.join(list(beside)[:12])}"
    if not close:
        parts = nearest(last, [path.rpartition(".")[2] for path in known])
        close = [path for part in parts for path in known if path.rpartition(".")[2] == part][:3]
    if not close:
        return "; --cfg job prints all keys"
    return suggestion(list(dict.fromkeys(close)))


def _missing(path: str) -> str:
    return f"missing value for '{path}'; write {path}=VALUE"


def constructor_parameters(owner: type) -> dict[str, Any]:
    """Returns the constructor's parameter names with their annotations (Any where there is none)."""
    try:
        hints = typing.get_type_hints(owner if dataclasses.is_dataclass(owner) else owner.__init__)  # type: ignore[misc]
    except (NameError, TypeError):  # annotations that exist for type checkers only
        hints = {}
    parameters = inspect.signature(owner).parameters.values()
    return {entry.name: hints.get(entry.name, Any) for entry in parameters if entry.kind is not entry.VAR_KEYWORD}


def _convert_union(value: Any, members: tuple[Any, ...]) -> Any:
    if value is None and type(None) in members:
        return None
    # A tensor or module in the annotation, as in torch's ``lr: float | Tensor``, is no licence for any value.
    plain = [member for member in members if member in _WORDS or typing.get_origin(member) is not None]
    members = tuple(plain) if plain else members
    # An exact match goes first, so that 1 stays a count and 1.0 a fraction in ``int | float``.
    exact = [member for member in members if member in _WORDS and type(value) is member]
    reasons: list[str] = []
    for member in exact or [member for member in members if member is not type(None)]:
        try:
            return convert(value, member)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError("; or ".join(dict.fromkeys(reasons)))


def _convert_list(value: Any, members: tuple[Any, ...]) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError("expected a list; example: [16,32]")
    inner = members[0] if members else Any
    return [convert(item, inner) for item in value]


def _convert_plain(value: Any, wanted: type) -> Any:
    expected = f"expected {_WORDS[wanted]}; example: {_EXAMPLES[wanted]}"
    if value is None or value == "":
        raise ValueError(f"has no value; {expected}")
    if wanted is float:
        return _convert_float(value, expected)
    if wanted is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if type(value) is not wanted:
        raise ValueError(expected)
    return value


def _convert_float(value: Any, expected: str) -> float:
    if isinstance(value, str) and (match := _FRACTION.fullmatch(value)):
        if float(match[2]) == 0:
            raise ValueError("divides by zero; example: 8/255")
        value = float(match[1]) / float(match[2])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(expected)
    if not math.isfinite(value):
        raise ValueError("expected a finite number")
    return float(value)


def _shown(value: Any) -> str:
    return str(value)[:60]
