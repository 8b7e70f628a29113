"""A configuration as a run keeps it: plain YAML, written and read without Hydra, and nothing in it is ever resolved."""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from dlcli.errors import ConfigError


def read_stored(data: bytes, *, source: str) -> dict[str, Any]:
    """Returns a run's ``config.yaml`` as plain data; nothing in it is resolved, no interpolation, no tag. Raises ConfigError."""
    if len(data) > 1_000_000:
        raise ConfigError([f"{source} is larger than 1 MB; expected a configuration"])
    try:
        if any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(data)):
            raise ConfigError([f"{source} uses YAML anchors; expected a configuration written by dlcli"])
        content = yaml.safe_load(data)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError([f"{source} is not plain YAML: {str(error).splitlines()[0]}"]) from error
    if not isinstance(content, dict):
        raise ConfigError([f"{source} does not hold a mapping"])
    return content


def as_yaml(settings: Any) -> bytes:
    """Returns settings as ``config.yaml``: plain values in the schema's order."""
    text: str = yaml.safe_dump(dataclasses.asdict(settings), sort_keys=False, allow_unicode=True)
    return text.encode()
