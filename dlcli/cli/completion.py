"""Shell completion of experiments, keys and their values, from the files alone: no torch, no Hydra."""

from __future__ import annotations

from collections.abc import Sequence

import typer


def complete_word(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns what the word may become: an entry of the verb's groups, a key, or a value of a group."""
    try:
        # Typer hands the words before this one to no callback; they are in the context, already parsed.
        before = [str(word) for word in ctx.params.get("words") or []]
        return candidates(str(ctx.info_name), before, incomplete, user=ctx.params.get("config_dir"))
    except Exception:  # noqa: BLE001 - a traceback would land on the user's prompt, in the middle of a line
        return []


def candidates(verb: str, before: Sequence[str], incomplete: str, *, user: str | None = None) -> list[str]:
    """Returns the same for the words ``before`` this one.

    Bash splits words at ``=``, so ``optimizer=ad`` arrives as ``optimizer``, ``=``, ``ad``, and after ``optimizer=`` the lone
    ``=`` is lost; zsh and fish pass the word whole.
    """
    from dlcli.config.catalog import WORD_GROUPS, entries, groups_of, keys_of

    if verb not in WORD_GROUPS:
        return []
    groups = groups_of(verb, user=user)
    group, separator, start = incomplete.partition("=")
    if separator and group:
        return [f"{group}={name}" for name in entries(group, user=user) if group in groups and name.startswith(start)]
    typed = [word for word in before if word != "="]
    if typed and typed[-1] in groups:
        return [name for name in entries(typed[-1], user=user) if name.startswith(start if separator else incomplete)]
    chosen = bool(typed) and not set(typed[0]) & set("=+~") and "=" not in before[:2]
    words = [] if chosen else [name for group in WORD_GROUPS[verb] for name in entries(group, user=user)]
    keys = dict.fromkeys([*groups, *(key for key, _ in keys_of(verb, user=user))])
    return [word for word in words if word.startswith(incomplete)] + [f"{key}=" for key in keys if key.startswith(incomplete)]
