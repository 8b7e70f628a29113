"""Flags that belong to one study, such as ``dl explain compare --against RUN``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from dlcli.cli.options import FLAGS
from dlcli.errors import UsageError


def refuse_foreign_flags(verb: str, bare: str | None, values: Mapping[str, Any]) -> None:
    """Raises UsageError for a flag of a study's key that ``bare`` is not, such as ``dl explain saliency --against RUN``."""
    from dlcli.config.catalog import entries, read_yaml

    for name, flag in FLAGS[verb].items():
        group, _, key = (flag.key or "").partition(".")
        if group != "study" or values.get(name) is None:
            continue
        known = entries(f"study/{verb}", user=values["config_dir"])
        fitting = [study for study, path in known.items() if key in read_yaml(path)]
        if bare is None or any(word not in fitting for word in bare.split(",")):
            typed = " ".join(map(shlex.quote, flag.typed(values[name])))
            what = f"dl {verb} {bare}" if bare is not None else f"dl {verb} without a word"
            reason = f"{flag.names[0]} has no place in {what}; it belongs to {', '.join(fitting)}"
            raise UsageError(reason, hint=f"dl {verb} {fitting[0]} {typed}")
