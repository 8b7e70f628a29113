"""Stored configurations: written plainly, read as data and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dlcli.config.compose import compose, quoted
from dlcli.config.schema import EvaluateSettings, checked_settings
from dlcli.config.stored import as_yaml, read_stored
from dlcli.errors import ConfigError


def test_settings_are_written_as_plain_yaml_and_read_back_equal():
    settings = checked_settings("evaluate", compose("evaluate", [f"name={quoted('ünï')}"]))
    text = as_yaml(settings)
    assert b"!!" not in text
    assert checked_settings("evaluate", read_stored(text, source="here")) == settings
    assert isinstance(settings, EvaluateSettings)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a: ${oc.env:HOME}", None),
        (b"a: !!python/object/apply:os.getcwd []", "not plain YAML"),
        (b"a: &b 1", "anchors"),
        (b"[" * 1200, "not plain YAML"),
        (b"a: \xff", "not plain YAML"),
        (b"- 1", "does not hold a mapping"),
        (b"", "does not hold a mapping"),
        (b" " * 1_000_001, "larger than 1 MB"),
    ],
    ids=["interpolation", "tag", "anchor", "deep", "binary", "list", "empty", "large"],
)
def test_a_stored_configuration_is_plain_data_or_refused(data, reason):
    if reason is None:
        assert read_stored(data, source="here") == {"a": "${oc.env:HOME}"}
    else:
        with pytest.raises(ConfigError, match=reason):
            read_stored(data, source="here")


def test_reading_what_a_run_stored_needs_no_hydra():
    code = "import sys; import dlcli.config.stored; sys.exit('hydra' in sys.modules or 'omegaconf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
