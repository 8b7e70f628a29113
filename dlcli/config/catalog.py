"""What configs there are: found by looking at files, without Hydra and without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcli.errors import UsageError, did_you_mean, nearest

# The groups whose entries can be the first bare word after a verb, in the order they are looked at.
WORD_GROUPS = {
    "train": ("experiment",),
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
    "losses": ("loss",),
    "attacks": ("attack",),
    "explainers": ("explainer",),
    "studies": ("study/attack", "study/explain"),
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
        raise UsageError(f"--config-dir {user}: there is no such folder")
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
    shown = names if len(names) <= 12 else nearest(wrong, names) or names[:12]
    what = groups[0]
    raise UsageError(f"there is no {what} '{wrong}'{did_you_mean(wrong, names)}", hint=f"{what}s: {', '.join(shown)}")


def keys_of(verb: str, *, user: str | None = None) -> Iterator[tuple[str, Any]]:
    """Yields the dotted keys of a verb's root with their default values, as far as the files show without composing."""
    root = next(folder / f"{verb}.yaml" for folder in config_folders(user) if (folder / f"{verb}.yaml").exists())
    content = _yaml(root)
    for default in content.pop("defaults", []):
        if isinstance(default, dict):
            for group, name in default.items():
                group = group.removeprefix("optional ").removeprefix("override ").lstrip("/")
                path = entries(group, user=user).get(str(name))
                if path is not None and group != "experiment" and not group.startswith("hydra"):
                    yield group, name
                    yield from _flattened({key: value for key, value in _yaml(path).items() if key != "_target_"}, group)
    yield from _flattened(content, "")


def groups_of(verb: str, *, user: str | None = None) -> list[str]:
    """Returns the groups whose entry can be chosen for a verb."""
    content = _yaml(next(folder / f"{verb}.yaml" for folder in config_folders(user) if (folder / f"{verb}.yaml").exists()))
    names = [group for default in content.get("defaults", []) if isinstance(default, dict) for group in default]
    return [name.removeprefix("override ").lstrip("/") for name in names if "hydra" not in name]


def data_root() -> Path | None:
    """Returns ``$DL_DATA``, or None where the user has not set it."""
    value = os.environ.get("DL_DATA")
    return Path(value) if value else None


def _flattened(content: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, dict) and value and key != "hydra":
            yield from _flattened(value, path)
        elif key not in {"hydra", "defaults"}:
            yield path, value


def _yaml(path: Path) -> dict[str, Any]:
    import yaml

    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
