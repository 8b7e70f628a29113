"""What ``dl finetune`` takes for granted of a backbone: a recipe of its own, and data where none are named."""

from __future__ import annotations

from collections.abc import Sequence

_RECIPE = ("trainer=transfer", "optimizer=adamw_transfer", "limit_test=2000")
_DATA, _LABELS = "data=mnist", "labels=1000"


def backbone_defaults(verb: str, overrides: Sequence[str]) -> list[str]:
    """Returns the overrides that stand before the user's own where these name a backbone; none elsewhere.

    Args:
        overrides: those of flags among them.
    """
    named = dict(text.lstrip("+").split("=", 1) for text in overrides if "=" in text)
    published = named.get("backbone", "null") != "null" or named.get("run", "").strip("'\"").startswith("pretrained:")
    if verb != "finetune" or not published:
        return []
    without_data = "data" not in named
    few = without_data and not {"labels", "limit_train", "compare"} & set(named)
    return [*_RECIPE, *([_DATA] if without_data else []), *([_LABELS] if few else [])]
