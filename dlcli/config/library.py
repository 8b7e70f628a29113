"""One word that stands for two keys: ``model=timm/convnext_atto`` for ``model=timm model.name=convnext_atto``, and
``strategy=last-2`` for ``strategy=last_stages strategy.last=2``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlcli.errors import UsageError

_SHIPPED = {"linear-probe": "linear_probe", "head-first": "head_first", "last-stages": "last_stages"}
_LAST = re.compile(r"last[-_](\d+)")
LIBRARIES = ("torchvision", "timm")


def spelled_out(overrides: Sequence[str]) -> list[str]:
    """Returns the overrides with each ``model=LIBRARY/NAME`` written as the group's entry and the network's name, and each
    strategy as its entry: ``linear-probe`` is ``linear_probe``.

    A sweep over several networks of one library becomes a sweep over names. All else is left as it is.

    Raises:
        UsageError: one sweep names networks of a library and others: their settings differ.
    """
    return [part for text in overrides for part in _parts(text)]


def _parts(text: str) -> list[str]:
    key, _, value = text.partition("=")
    if key == "strategy":
        return _strategies(text, [word.strip() for word in value.split(",")])
    words = [word.strip() for word in value.split(",")]
    libraries = {word.partition("/")[0] if word.startswith(tuple(f"{name}/" for name in LIBRARIES)) else "" for word in words}
    if key != "model" or libraries == {""}:
        return [text]
    if len(libraries) > 1:
        raise UsageError(f"{text}: one sweep takes networks of one library", hint="one command for each library")
    library = libraries.pop()
    return [f"model={library}", f"model.name={','.join(word.removeprefix(f'{library}/') for word in words)}"]


def _strategies(text: str, words: list[str]) -> list[str]:
    counts = [found[1] for word in words if (found := _LAST.fullmatch(word))]
    if "0" in counts:
        raise UsageError(f"{text}: no stage before the head is the head alone", hint="--strategy linear-probe, or last-1")
    if counts and len(counts) < len(words):
        raise UsageError(f"{text}: one sweep takes last-N alone, or other strategies", hint="one command for each")
    if counts:
        return ["strategy=last_stages", f"strategy.last={','.join(counts)}"]
    return [f"strategy={','.join(_SHIPPED.get(word, word) for word in words)}"]
