"""The evidence beside maps, from a network that has learned to see a patch and from the same one before."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from dlcli.commands.console import Talk
from dlcli.commands.explain_files import joined
from dlcli.commands.explain_trust import Trust, refuse_less, wants_trust, weighed
from dlcli.commands.models import load_model
from dlcli.commands.subject import Subject
from dlcli.commands.untrained import untrained
from dlcli.config.compose import compose
from dlcli.config.schema import ExplainSettings, checked_settings
from dlcli.data.memory import MemorySplit
from dlcli.data.mnist import MNIST
from dlcli.engine.attribute import attribute
from dlcli.errors import GateError, UsageError
from dlcli.explainers.eigencam import EigenCAM
from dlcli.explainers.integrated_gradients import IntegratedGradients

CPU = torch.device("cpu")
COUNT = 6


def settings(*overrides: str) -> ExplainSettings:
    found = checked_settings("explain", compose("explain", list(overrides)))
    assert isinstance(found, ExplainSettings)
    return found


@pytest.fixture(scope="module")
def subject() -> Subject:
    test = MNIST().load().test
    assert isinstance(test, MemorySplit)
    loaded = load_model("builtin:mnist", which="best", device=CPU, talk=Talk(quiet=True))
    return Subject(loaded, test.select(torch.arange(COUNT)), CPU)


def trust(subject: Subject, explainer: Any, *overrides: str, seconds: float = 0.0) -> Trust | None:
    report = joined(list(attribute(subject.loaded.model, explainer, subject.split, batch_size=4, seed=0)))
    own = settings("batch_size=4", *overrides)
    return weighed(own, subject, explainer, report, seconds=seconds, check=lambda: None, talk=Talk(quiet=True))


def test_a_trained_networks_maps_beat_what_knows_nothing_and_an_untrained_ones_do_not(subject: Subject) -> None:
    own = trust(subject, IntegratedGradients(), "evidence=true")
    assert own is not None
    assert float(own.evidence.percentile.median()) >= 0.9
    assert own.metrics["explain/insertion_auc"].value > own.metrics["explain/deletion_auc"].value + 0.3
    new = replace(subject, loaded=replace(subject.loaded, model=untrained(subject.loaded, seed=9)))
    other = trust(new, IntegratedGradients(), "evidence=true")
    assert other is not None
    assert [verdict.word for verdict in own.verdicts] == ["supported"] * COUNT
    assert "supported" not in {verdict.word for verdict in other.verdicts}


def test_every_map_has_a_line_and_all_together_have_words(subject: Subject) -> None:
    found = trust(subject, EigenCAM(), "evidence=true")
    assert found is not None
    assert len(found.items) == COUNT
    assert {"verdict", "reason", "insertion", "deletion", "percentile", "margin", "similar_untrained"} <= set(found.items[0])
    assert "similar_runner_up" not in found.items[0]  # it asks for no class
    assert "necessary, not sufficient" in found.words[-1]
    assert set(found.metrics) == {
        "explain/supported", "explain/insertion_auc", "explain/deletion_auc", "explain/false_trust_rate",
    }  # fmt: skip


def test_what_would_take_long_is_left_out_unless_it_is_asked_for(subject: Subject) -> None:
    assert trust(subject, EigenCAM(), seconds=1000.0) is None
    assert trust(subject, EigenCAM(), "evidence=true", seconds=1000.0) is not None


def test_thorough_looks_at_small_changes_too(subject: Subject) -> None:
    small = replace(subject, split=subject.split.select(torch.arange(2)))
    found = trust(small, EigenCAM(), "thorough=true")
    assert found is not None
    assert found.evidence.sensitivity is not None
    assert "sensitivity" in found.items[0]
    assert found.false_trust[1] == 6


def test_it_is_wanted_for_images_unless_refused(subject: Subject) -> None:
    assert wants_trust(settings(), subject)
    assert not wants_trust(settings("evidence=false"), subject)
    with pytest.raises(UsageError, match="leaves nothing"):
        wants_trust(settings("evidence=false", "require=weak"), subject)


def test_less_than_what_is_required_ends_in_one_after_all_is_written(dl: Any, tmp_path: Any) -> None:
    words = ("explain", "eigencam", "--run", "builtin:mnist", "--limit", "3")
    answer = dl(*words, "--require", "supported")
    (file,) = tmp_path.glob("runs/explain/eigencam/*/maps.json")
    found = [item["verdict"] for item in json.loads(file.read_text())["items"]]
    assert answer.code == (0 if set(found) == {"supported"} else 1)
    assert (file.parent / "result.json").exists()
    assert "trust: " in answer.err


def test_tables_have_no_pixels_to_hide(dl: Any) -> None:
    answer = dl("explain", "saliency", "--run", "builtin:mnist", "--require", "strong")
    assert answer.code == 2
    assert "require" in answer.err


def test_refusal_counts_the_maps_that_are_worth_less(subject: Subject) -> None:
    found = trust(subject, EigenCAM(), "evidence=true")
    assert found is not None
    refuse_less(None, found)
    refuse_less("supported", None)
    worse = sum(verdict.word != "supported" for verdict in found.verdicts)
    if worse:
        with pytest.raises(GateError, match=f"{worse} of {COUNT} maps are less than supported"):
            refuse_less("supported", found)
