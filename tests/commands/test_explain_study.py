"""The studies of ``dl explain``: a run with figures, arrays and words; what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.mark.parametrize("model", ["digits", "flat"])
def test_a_study_leaves_a_run_with_figures_arrays_and_pictures(dl, runs, model):
    answer = dl("explain", "gradients", "--run", model, "study.examples=50")
    assert answer.code == 0, answer.err
    (run,) = (path.parent for path in runs.glob("explain/gradients/*/result.json"))
    result = json.loads((run / "result.json").read_text())
    assert 0 <= result["metrics"]["explain/gradient_error"]["value"] < 1e-3
    assert result["metrics"]["explain/chain_rule_error"]["value"] < 1e-8
    assert (run / result["files"]["flow"]).read_bytes().startswith(b"\x89PNG")
    with np.load(run / result["files"]["arrays"], allow_pickle=False) as arrays:
        assert len(arrays["trained/layers"]) == len(arrays["trained/signal"]) > 1
    assert f"picture: {run}/plots/flow.png" in answer.err


def test_the_same_seed_gives_the_same_result_and_a_study_has_examples_of_its_own(dl, runs):
    metrics = []
    for extra in ((), (), ("--seed", "1"), ("--limit", "20")):
        answer = dl("explain", "gradients", "--run", "digits", "study.examples=50", "--json", *extra)
        assert answer.code == 0, answer.err
        metrics.append(json.loads(answer.out)["metrics"])
    assert metrics[0] == metrics[1] != metrics[2]
    assert [own["explain/gradient_reach"]["n"] for own in metrics] == [50, 50, 50, 20]


def test_a_dry_run_writes_nothing(dl, runs):
    answer = dl("explain", "gradients", "--run", "digits", "--dry-run")
    assert answer.code == 0, answer.err
    assert "nothing was written" in answer.err
    assert not (runs / "explain").exists()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (("--images", "."), "needs labels"),
        (("explainer=saliency",), "explainer=saliency has no place"),
        (("study.directions=0",), "study.directions must be at least 1"),
        (("study.nothing=0",), "nothing"),
    ],
)
def test_what_a_study_cannot_use_is_refused(dl, runs, extra, words):
    answer = dl("explain", "gradients", "--run", "digits", *extra)
    assert answer.code == 2
    assert words in answer.err
    assert not (runs / "explain").exists()


def test_studies_are_listed_and_the_help_has_an_example(dl):
    assert "gradients" in dl("list", "studies").out
    assert "dl explain gradients" in dl("explain", "--help").out
