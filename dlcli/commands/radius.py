"""``epsilon: auto``: the data's own radius, put into a node before it is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcli.contracts import DataSpec
from dlcli.errors import UsageError


def with_radius(group: str, node: Mapping[str, Any], spec: DataSpec, *, why: str | None = None) -> tuple[dict[str, Any], str]:
    """Returns the node of ``group`` with a number for epsilon, and where that came from.

    Args:
        why: the reason for the data's own epsilon; None: it is the data's default.

    Raises:
        UsageError: the data have no radius of their own for the node's norm.
    """
    own = dict(node)
    if own.get("epsilon") != "auto":
        return own, "as asked for"
    norm = str(own.get("norm", "linf"))
    if norm not in spec.epsilon:
        raise UsageError(f"{spec.name} has no default epsilon for norm {norm}", hint=f"{group}.epsilon=NUMBER")
    return {**own, "epsilon": spec.epsilon[norm]}, why or f"the default of {spec.name}"
