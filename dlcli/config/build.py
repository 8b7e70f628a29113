"""The builder: a YAML node becomes an object, and only an object of the kind that its group is for.

What may be built is decided by the resolved object, not by the string: it must be a class, defined in a trusted package,
and of the group's kind. So a foreign run folder can name a network of ours and nothing else. Which packages are trusted is the
user's word (``dlcli.yaml`` in the current folder, ``$DL_TRUST``, or ``--trust``), never a run folder's.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from dlcli.config.catalog import expectation, read_yaml
from dlcli.config.values import constructor_parameters, mistakes_in
from dlcli.errors import ConfigError, UsageError, did_you_mean

TRUSTED = ("dlcli", "torch", "torchvision", "timm")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
# What each group's constructor receives at build time, and the YAML may not set.
GIVEN: Mapping[str, frozenset[str]] = {
    "model": frozenset({"spec"}),
    "data": frozenset({"workers"}),
    "augment": frozenset({"spec"}),
    "loss": frozenset({"spec", "class_counts", "reduction"}),
    "optimizer": frozenset({"params"}),
    "scheduler": frozenset({"total_steps"}),
    "adversary": frozenset({"loss", "total_steps"}),
    "attack": frozenset(),
    "explainer": frozenset(),
    "study": frozenset(),
}


def build(group: str, node: Mapping[str, Any], **given: Any) -> Any:
    """Returns the object that a node of ``group`` describes.

    Args:
        given: build-time values; those that the constructor has no parameter for are left out.

    Raises:
        ConfigError: unknown or untrusted target, wrong kind, unknown keys, wrong types or ranges.
    """
    owner, values, mistakes = _checked(group, node)
    if owner is None or mistakes:
        raise ConfigError(mistakes)
    parameters = constructor_parameters(owner)
    extra = {name: value for name, value in given.items() if name in parameters}
    try:
        return owner(**values, **extra)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError) as error:
        raise ConfigError([_blaming(group, error, parameters)]) from error


def mistakes_of(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns one line per mistake in the nodes (group → node), also in ranges, without building anything large."""
    mistakes: list[str] = []
    for group, node in nodes.items():
        owner, values, found = _checked(group, node)
        if owner is not None and not found:
            found = _probe(group, owner, values, target=str(node["_target_"]))
        mistakes += found
    return mistakes


def resolve(group: str, target: Any) -> type:
    """Returns the class that ``_target_`` names, if it may be built in ``group``. Raises ConfigError."""
    if not isinstance(target, str) or not _DOTTED.fullmatch(target):
        raise ConfigError([f"{group}._target_={target!r}: expected a dotted class name such as dlcli.models.mlp.MLP"])
    root = target.split(".", 1)[0]
    trusted = trusted_packages()
    if root not in trusted:
        reason = f"package '{root}' is not trusted, so nothing of it was run; if it is yours: --trust {root}"
        raise ConfigError([f"{group}._target_={target}: {reason}"])
    if root not in TRUSTED and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # the user trusts a package of the current folder
    found = _attribute(group, target)
    if not isinstance(found, type) or found.__module__.split(".", 1)[0] not in trusted or not _is_kind(group, found):
        raise ConfigError([f"{group}._target_={target}: expected {_KINDS[group][0]}; nothing of it was run"])
    return found


def trusted_packages() -> tuple[str, ...]:
    """Returns the packages whose classes may be built; a ``dlcli.yaml`` in or below a run folder does not count."""
    named = [name.strip() for name in os.environ.get("DL_TRUST", "").split(",") if name.strip()]
    own = Path("dlcli.yaml")
    here = own.resolve().parent
    # A run folder that somebody else made is data, also for a user who stands in it.
    in_a_run = any((folder / "run.json").exists() for folder in (here, *here.parents))
    if own.is_file() and not in_a_run:
        listed = read_yaml(own).get("trust", [])
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise UsageError("dlcli.yaml: 'trust' must be a list of package names", hint="trust: [my_package]")
        named += listed
    return (*TRUSTED, *named)


def _attribute(group: str, target: str) -> Any:
    """Imports the longest prefix of ``target`` that is a module and walks the rest."""
    parts = target.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:cut])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
                continue
            missing = f"importing {name} needs '{error.name}', which is not installed"
            raise ConfigError([f"{group}._target_={target}: {missing}"]) from error
        for part in parts[cut:]:
            if not hasattr(found, part):
                near = did_you_mean(part, [name for name in dir(found) if isinstance(getattr(found, name, None), type)])
                raise ConfigError([f"{group}._target_={target}: {name} has no '{part}'{near}"])
            found = getattr(found, part)
        return found
    raise ConfigError([f"{group}._target_={target}: there is no module '{parts[0]}'"])


def _is_kind(group: str, found: type) -> bool:
    return _KINDS[group][1](found)


def _subclass_of(*names: str) -> Callable[[type], bool]:
    def check(found: type) -> bool:
        module, name = names
        return issubclass(found, getattr(importlib.import_module(module), name))

    return check


def _of_kind(kind: str) -> Callable[[type], bool]:
    def check(found: type) -> bool:
        import dataclasses

        frozen = dataclasses.is_dataclass(found) and getattr(found, "__dataclass_params__").frozen  # noqa: B009
        return frozen and getattr(found, "kind", None) == kind

    return check


def _checked(group: str, node: Any) -> tuple[type | None, dict[str, Any], list[str]]:
    if not isinstance(node, Mapping) or "_target_" not in node:
        return None, {}, [f"{group}: expected an entry with _target_; dl list shows what there is"]
    try:
        owner = resolve(group, node["_target_"])
    except ConfigError as error:
        return None, {}, list(error.mistakes)
    if group == "optimizer":
        owner = importlib.import_module("dlcli.optim.eager").eager(owner)
    values = {name: value for name, value in node.items() if name != "_target_"}
    if values.get("epsilon") == "auto":
        values["epsilon"] = 0.0  # resolved from the data before the attack is built
    converted, mistakes = mistakes_in(values, owner, prefix=group, ignore=GIVEN[group])
    return owner, converted, mistakes


def _probe(group: str, owner: type, values: Mapping[str, Any], *, target: str) -> list[str]:
    """Constructs what is cheap to construct, to have the ranges checked before anything runs."""
    if group == "model":
        return _probe_model(owner, values)
    if group == "augment" and "spec" in constructor_parameters(owner):
        error = _error_of(owner, {**values, "spec": _spec((3, 1 << 20, 1 << 20), "ab")})
        # The data's own spec comes when it is built: here only what names its key is wrong whatever the data.
        return [_blaming(group, error, values)] if error is not None and _names_a_key(error, values) else []
    given: dict[str, Any] = {"total_steps": 1} if group == "scheduler" else {}
    if group == "optimizer":
        torch = importlib.import_module("torch")
        given = {"params": [torch.nn.Parameter(torch.zeros(1))]}
    if group == "adversary":
        given = {"loss": importlib.import_module("torch").nn.CrossEntropyLoss()}
    if group == "loss" and "balanced" in values.values() and "class_counts" in constructor_parameters(owner):
        given = {"class_counts": importlib.import_module("torch").ones(2)}  # the data's own come when it is built
    error = _error_of(owner, {**values, **given})
    if error is None:
        return []
    # Constructors of other packages do not name the key: it is the one that fails alone, all others at their defaults.
    for name, value in values.items():
        alone = _error_of(owner, {name: value, **given})
        if alone is not None and str(alone) == str(error) and not _names_a_key(error, values):
            wanted = expectation(group, target, name)
            return [f"{group}.{name}={value}: {error}" + (f"; expected: {wanted}" if wanted else "")]
    return [_blaming(group, error, values)]


def _probe_model(owner: type, values: Mapping[str, Any]) -> list[str]:
    """Builds a network on the meta device, where weights take no memory, for data that are small and data that are large:
    only what fails on both, and names its key, is wrong whatever the data."""
    import torch

    reasons = []
    for size, classes in ((28, "0123456789"), (224, "ab")):
        spec = _spec((1, size, size), classes)
        try:
            with torch.device("meta"):
                error = _error_of(owner, {**values, **({"spec": spec} if "spec" in constructor_parameters(owner) else {})})
        except NotImplementedError:  # it looks at numbers while it is built, and here there are none
            return []
        if error is None or not _names_a_key(error, values):
            return []
        reasons.append(_blaming("model", error, values))
    return reasons[:1]


def _spec(shape: tuple[int, int, int], classes: str) -> Any:
    """Images of this shape that nobody has, for trying a constructor."""
    from dlcli.contracts import DataSpec

    channels = shape[0]
    return DataSpec(name="probe", shape=shape, classes=tuple(classes), mean=(0.0,) * channels, std=(1.0,) * channels, epsilon={})


def _error_of(owner: type, values: Mapping[str, Any]) -> Exception | None:
    try:
        owner(**values)
    except (ValueError, TypeError) as error:
        return error
    return None


def _blaming(group: str, error: Exception, names: Iterable[str]) -> str:
    """The error with its key in front: ``attack.epsilon must be …`` where it names one, else ``attack: …``."""
    return f"{group}.{error}" if _names_a_key(error, names) else f"{group}: {error}"


def _names_a_key(error: Exception, names: Iterable[str]) -> bool:
    return str(error).split(" ", 1)[0] in set(names)


_KINDS: Mapping[str, tuple[str, Callable[[type], bool]]] = {
    "model": ("a torch.nn.Module class", _subclass_of("torch.nn", "Module")),
    "data": ("a DataSource class", _subclass_of("dlcli.contracts", "DataSource")),
    "augment": ("an Augment class", _subclass_of("dlcli.contracts", "Augment")),
    "loss": ("a torch.nn.Module class", _subclass_of("torch.nn", "Module")),
    "optimizer": ("a torch.optim.Optimizer class", _subclass_of("torch.optim", "Optimizer")),
    "scheduler": ("a Schedule class", _subclass_of("dlcli.contracts", "Schedule")),
    "adversary": ("an Objective class", _subclass_of("dlcli.contracts", "Objective")),
    "attack": ("an attack (a frozen dataclass with kind = 'attack')", _of_kind("attack")),
    "explainer": ("an explainer (a frozen dataclass with kind = 'explainer')", _of_kind("explainer")),
    "study": ("a study (a frozen dataclass with kind = 'study')", _of_kind("study")),
}
