"""Shell completion of experiments and keys, from the files alone: no torch, no Hydra."""

from __future__ import annotations

import typer


def complete_word(ctx: typer.Context, args: list[str], incomplete: str) -> list[str]:
    """Returns what the word may become: an entry of the verb's groups, a key, or a value of a group.

    Bash splits words at ``=``, so ``optimizer=ad`` arrives as ``optimizer``, ``=``, ``ad`` (and the ``=`` may be lost); zsh and
    fish pass it whole. An exception here would land on the user's prompt, so there is none: files are only listed.
    """
    from dlcli.config.catalog import WORD_GROUPS, entries, groups_of, keys_of

    verb = str(ctx.info_name)
    if verb not in WORD_GROUPS:
        return []
    groups = [*groups_of(verb), "experiment"]
    group, separator, start = incomplete.partition("=")
    if separator:
        return [f"{group}={name}" for name in entries(group) if group in groups and name.startswith(start)]
    before = [word for word in args if word not in {"=", incomplete}]
    if before and before[-1] in groups:
        return [name for name in entries(before[-1]) if name.startswith(incomplete.lstrip("="))]
    words = [name for group in WORD_GROUPS[verb] for name in entries(group)]
    keys = dict.fromkeys([*groups, *(key for key, _ in keys_of(verb))])
    return [word for word in words if word.startswith(incomplete)] + [f"{key}=" for key in keys if key.startswith(incomplete)]
