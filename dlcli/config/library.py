"""One word that stands for two keys: ``model=timm/convnext_atto`` for ``model=timm model.name=convnext_atto``, and
``strategy=last-2`` for ``strategy=last_stages strategy.last=2``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlcli.errors import UsageError

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
        found = _LAST.fullmatch(value)
        return ["strategy=last_stages", f"strategy.last={found[1]}"] if found else [f"strategy={value.replace('-', '_')}"]
    words = [word.strip() for word in value.split(",")]
    libraries = {word.partition("/")[0] if word.startswith(tuple(f"{name}/" for name in LIBRARIES)) else "" for word in words}
    if key != "model" or libraries == {""}:
        return [text]
    if len(libraries) > 1:
        raise UsageError(f"{text}: one sweep takes networks of one library", hint="one command for each library")
    library = libraries.pop()
    return [f"model={library}", f"model.name={','.join(word.removeprefix(f'{library}/') for word in words)}"]
