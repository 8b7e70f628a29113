"""``dl explain auto``: methods that fit are ranked, others are named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.commands.auto_study import MethodRanking

FEW = ("study.examples=3", "study.steps=2")


def folder_of(runs):
    (file,) = runs.glob("explain/auto/*/result.json")
    return file.parent


def test_named_methods_are_ranked_and_those_that_do_not_fit_are_named(dl, runs):
    answer = dl("explain", "auto", "--run", "flat", "study.methods=[gradcam,saliency,occlusion]", *FEW)
    assert answer.code == 0, answer.err
    folder = folder_of(runs)
    assert "2 methods, 3 images each: saliency, occlusion" in answer.err
    assert "left out: gradcam" in answer.err
    with np.load(folder / "auto.npz") as arrays:
        names, supported = arrays["methods"].tolist(), arrays["supported"]
        assert arrays["agreement"].shape == (3, 2, 2)
        assert arrays["maps"].shape == (3, 8, 8)
    assert set(names) == {"saliency", "occlusion"}
    metrics = json.loads((folder / "result.json").read_text())["metrics"]
    for name, own in zip(names, supported, strict=True):
        assert metrics[f"explain/supported/{name}"]["value"] == pytest.approx(own.mean())
    for picture in ("agreement", "methods"):
        assert (folder / "plots" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    assert f"dl explain {names[0]}" in answer.err
    assert (folder / "ranking.csv").read_text().splitlines()[1].startswith(names[0])


def test_what_takes_longer_than_the_budget_is_left_out(dl, runs):
    answer = dl("explain", "auto", "--run", "flat", "study.budget=1e-9", *FEW)
    assert answer.code == 2
    assert "no method is left to rank" in answer.err
    assert "rise: its maps take about" in answer.err


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("study.methods=[salency]",), "did you mean 'saliency'"),
        (("--limit", "1"), "needs 2 examples or more"),
        (("study.budget=0",), "budget must be above 0"),
        (("explainer=lime",), "explainer=lime has no place"),
    ],
)
def test_mistakes_are_named_before_there_is_a_run(dl, runs, typed, words):
    answer = dl("explain", "auto", "--run", "flat", *typed)
    assert answer.code == 2
    assert words in answer.err
    assert not (runs / "explain").exists()


@pytest.mark.parametrize("wrong", [{"examples": 1}, {"steps": 0}, {"shown": 0}, {"budget": 0.0}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MethodRanking(**wrong)
