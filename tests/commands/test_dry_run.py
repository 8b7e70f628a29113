"""A dry run tells and estimates, and leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dlcli.runs.run import runs_root


@pytest.mark.parametrize(
    "words", [("train", "digits", "limit_train=200"), ("finetune", "--run", "builtin:mnist", "limit_train=200")]
)
def test_a_dry_run_shows_configuration_sizes_and_cost_and_writes_nothing(dl: Callable[..., Any], words: tuple[str, ...]) -> None:
    answer = dl(*words, "limit_train=200", "--dry-run")
    assert answer.code == 0
    for part in ("limit_train: 200", "parameters", "ms a step measured", "nothing was written"):
        assert part in answer.err
    assert not list(runs_root().glob("*/*/*"))


def test_a_dry_run_shows_the_network_layer_by_layer(dl: Callable[..., Any]) -> None:
    answer = dl("train", "digits", "model=mlp", "model.widths=[16]", "--dry-run")
    assert answer.code == 0, answer.err
    rows = {words[0]: words[1:] for line in answer.err.splitlines() if (words := line.split())}
    assert rows["hidden.0.linear"] == ["Linear", "16", "1", "040", "1", "024"]  # 64 * 16 weights and 16 biases
    assert rows["head"] == ["Linear", "10", "170", "160"]
    assert rows["total"] == ["10", "1", "210", "1", "184"]
