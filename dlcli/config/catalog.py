"""What configs there are: found by looking at files, without Hydra and without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlcli.errors import UsageError, nearest, suggestion

# The groups whose entries can be the first bare word after a verb, in the order they are looked at.
WORD_GROUPS = {
    "train": ("experiment", "study/train"),
    "evaluate": (),
    "finetune": (),
    "attack": ("attack", "study/attack"),
    "explain": ("explainer", "study/explain"),
}
LISTED = {
    "models": ("model",),
    "data": ("data",),
    "experiments": ("experiment",),
    "optimizers": ("optimizer",),
    "schedulers": ("scheduler",),
    "strategies": ("strategy",),
    "losses": ("loss",),
    "adversaries": ("adversary",),
    "attacks": ("attack",),
    "explainers": ("explainer",),
    "studies": ("study/train", "study/attack", "study/explain"),
}


def config_root() -> Path:
    """Returns the folder of the shipped configs: inside the package (wheel), else beside it (checkout)."""
    package = Path(__file__).resolve().parent.parent
    return package / "configs" if (package / "configs").is_dir() else package.parent / "configs"


def config_folders(user: str | None = None) -> list[Path]:
    """Returns where configs are looked for, the user's ``--config-dir`` first. Raises UsageError."""
    if user is None:
        return [config_root()]
    folder = Path(user).expanduser()
    if not folder.is_dir():
        hint = "--config-dir FOLDER, which holds model/NAME.yaml and the like"
        raise UsageError(f"--config-dir {user}: there is no such folder", hint=hint)
    return [folder.resolve(), config_root()]


def entries(group: str, *, user: str | None = None) -> dict[str, Path]:
    """Returns the names in a group with their files; the user's file wins over a shipped one of the same name."""
    found: dict[str, Path] = {}
    for folder in config_folders(user):
        for path in sorted((folder / group).glob("*.yaml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def description(path: Path) -> str:
    """Returns the text of a YAML's first comment line; empty where it has none."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            text = line.strip()
            if text.startswith("#") and "@package" not in text:
                return text.lstrip("# ").rstrip()
            if text and not text.startswith("#"):
                break
    return ""


def override_key(group: str) -> str:
    """Returns what stands before ``=`` to choose an entry of ``group``: every verb's studies have the key ``study``."""
    return f"{group}@study" if group.startswith("study/") else group


def group_of_word(verb: str, word: str, *, user: str | None = None) -> str:
    """Returns the group that a verb's first bare word names an entry of. Raises UsageError with suggestions."""
    groups = WORD_GROUPS[verb]
    names: list[str] = []
    for group in groups:
        found = entries(group, user=user)
        if all(part in found for part in word.split(",")):
            return group
        names += found
    if verb in {"train", "finetune", "evaluate"} and word in dict(keys_of(verb, user=user)):
        raise UsageError(f"'{word}' is a key without a value", hint=f"{word}=VALUE")
    if not groups:
        raise UsageError(f"dl {verb} takes no bare word '{word}'; expected KEY=VALUE or an option", hint=f"dl {verb} --help")
    wrong = next((part for part in word.split(",") if part not in names), word)
    near = nearest(wrong, names)
    some = f"; expected one of {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"
    listed = next((kind for kind, found in LISTED.items() if groups[0] in found), None)
    raise UsageError(
        f"there is no {groups[0]} '{wrong}'{suggestion(near) or some}",
        hint=f"dl {verb} {near[0]}" if near else f"dl list {listed} shows all of them",
    )


def sweeps(experiment: str, *, user: str | None = None) -> dict[str, str]:
    """Returns what an experiment sweeps over, override key → choices: one that says so is a sweep without ``-m``."""
    path = entries("experiment", user=user).get(experiment)
    content: Any = read_yaml(path) if path is not None else {}
    for key in ("hydra", "sweeper", "params"):
        content = content.get(key) if isinstance(content, dict) else None
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}


def keys_of(verb: str, *, user: str | None = None) -> Iterator[tuple[str, Any]]:
    """Yields the dotted keys of a verb's root with their default values, as far as the files show without composing."""
    content = read_yaml(_root(verb, user))
    for default in content.pop("defaults", []):
        if isinstance(default, dict):
            for key, name in default.items():
                group = key.removeprefix("optional ").removeprefix("override ").lstrip("/")
                path = entries(group, user=user).get(str(name))
                if path is not None and group != "experiment" and not group.startswith("hydra"):
                    yield group, name
                    yield from flattened({group: read_yaml(path)}).items()
    yield from flattened(content).items()


def groups_of(verb: str, *, user: str | None = None) -> list[str]:
    """Returns the groups whose entry can be chosen for a verb."""
    content = read_yaml(_root(verb, user))
    names = [group for default in content.get("defaults", []) if isinstance(default, dict) for group in default]
    return [name.removeprefix("override ").lstrip("/") for name in names if "hydra" not in name]


def expectation(group: str, target: str, key: str) -> str:
    """Returns what a shipped YAML of ``group`` with this ``_target_`` says beside ``key``: its unit and range; else ``""``."""
    for path in entries(group).values():
        lines = path.read_text(encoding="utf-8").splitlines()
        if f"_target_: {target}" in lines:
            said = (re.fullmatch(rf"{re.escape(key)}:.*?#\s*(.*)", line) for line in lines)
            return next((match[1].rstrip() for match in said if match), "")
    return ""


def flattened(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns dotted key → value; ``_target_`` and Hydra's own keys left out."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if key in {"hydra", "defaults", "_target_"}:
            continue
        if isinstance(value, Mapping) and value:
            found |= flattened(value, path)
        else:
            found[path] = value
    return found


def _root(verb: str, user: str | None) -> Path:
    return next(path for folder in config_folders(user) if (path := folder / f"{verb}.yaml").exists())


def yaml_problem(error: Exception) -> str:
    """Returns where and why a YAML file cannot be read, in one line."""
    mark = getattr(error, "problem_mark", None)
    where = f"{mark.name} line {mark.line + 1}: " if mark is not None else ""
    return where + str(getattr(error, "problem", None) or next(iter(str(error).splitlines()), type(error).__name__))


def read_yaml(path: Path) -> dict[str, Any]:
    """Returns a YAML file's mapping, empty where it holds something else. Raises UsageError."""
    import yaml

    try:
        with path.open(encoding="utf-8") as file:
            content = yaml.safe_load(file)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the config: {yaml_problem(error)}", hint=f"mend {path}") from error
    return content if isinstance(content, dict) else {}
