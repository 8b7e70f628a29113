"""Maps of two models for the same images."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from dlcli.commands.compare_study import MapComparison

FEW = ("study.examples=40", "study.shown=3")


def result_of(runs):
    (file,) = runs.glob("explain/compare/*/result.json")
    return file.parent, {name: value["value"] for name, value in json.loads(file.read_text())["metrics"].items()}


def test_a_model_beside_itself_is_alike_in_all(dl, runs):
    answer = dl("explain", "compare", "--run", "digits", "--against", "digits", *FEW)
    assert answer.code == 0, answer.err
    folder, found = result_of(runs)
    assert found["explain/rank_correlation"] == pytest.approx(1 - found["explain/empty_maps"], abs=1e-5)
    assert found["explain/rank_correlation_shuffled"] < 0.9
    assert found["explain/sparsity_change"] == found["explain/accuracy_change"] == 0
    assert (folder / "plots" / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert "maps are as sparse as before" in answer.err
    assert "dl explain compare explainer=saliency --against digits --run digits" in answer.err
    with np.load(folder / "compare.npz") as arrays:
        assert np.array_equal(arrays["maps"], arrays["maps_against"])
        assert arrays["maps"].shape == (40, 8, 8)
    with (folder / "pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    assert all(row["predicted"] == row["predicted_against"] for row in rows)


def test_without_another_model_it_is_the_one_before(dl, runs):
    answer = dl("explain", "compare", "--run", "digits", *FEW)
    assert answer.code == 0, answer.err
    assert "digits against its network without training" in answer.err
    assert dl("finetune", "--run", "flat", "--epochs", "1", "--name", "after", "--quiet").code == 0
    answer = dl("explain", "compare", "--run", "after", "explainer=saliency", *FEW)
    assert answer.code == 0, answer.err
    assert "after against flat, Saliency of the true class, n = 40" in answer.err


def test_a_model_of_other_classes_is_explained_for_its_own(dl, runs, tmp_path):
    pixels = np.random.default_rng(0)
    for name in ("dark", "light"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(10):
            values = pixels.integers(0, 100, (16, 16), dtype=np.uint8) + (150 if name == "light" else 0)
            Image.fromarray(values.astype(np.uint8)).save(tmp_path / "own" / name / f"{number}.png")
    answer = dl("train", "--data", str(tmp_path / "own"), "--epochs", "1", "--name", "two", "--quiet")
    assert answer.code == 0, answer.err
    answer = dl("explain", "compare", "--run", "digits", "--against", "two", *FEW)
    assert answer.code == 0, answer.err
    assert "GradCAM of the class that each predicts" in answer.err
    assert "the other model knows other classes" in answer.err
    assert "explain/accuracy_change" not in result_of(runs)[1]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("--against", "nosuch"), "there is no run 'nosuch'"),
        (("--against", "flat"), "needs a layer with a spatial map"),
        (("--layer", "nosuch"), "explainer.layer"),
        (("--limit", "1"), "needs 2 examples or more"),
        (("--select", "worst"), "select=worst has no place"),
        (("study.shown=0",), "shown must be at least 1"),
    ],
)
def test_mistakes_are_named_before_there_is_a_run(dl, runs, typed, words):
    answer = dl("explain", "compare", "--run", "digits", *typed)
    assert answer.code == 2, answer.err
    assert words in answer.err
    assert not (runs / "explain").exists()


@pytest.mark.parametrize("wrong", [{"examples": 1}, {"shown": 0}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MapComparison(**wrong)
