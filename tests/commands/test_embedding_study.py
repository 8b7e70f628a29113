"""``dl explain embedding``: on images, on an MLP and on a table; what it says and refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.commands.embedding_study import Embedding, _words
from dlcli.contracts import Metric


@pytest.mark.parametrize("model", ["digits", "flat"])
def test_the_features_of_digits_lie_apart(dl, runs, model):
    answer = dl("explain", "embedding", "--run", model, "study.examples=150", "--json")
    assert answer.code == 0, answer.err
    result = json.loads(answer.out)
    metrics = result["metrics"]
    accuracy = metrics["explain/knn_accuracy"]
    assert accuracy["low"] < accuracy["value"] <= accuracy["high"]
    assert accuracy["value"] > 0.7
    assert 0.7 < metrics["explain/trustworthiness/tsne"]["value"] <= 1
    (run,) = (path.parent for path in runs.glob("explain/embedding/*/result.json"))
    with np.load(run / result["files"]["arrays"], allow_pickle=False) as arrays:
        assert arrays["pca"].shape == arrays["tsne"].shape == (150, 2)
        assert len(set(arrays["index"].tolist())) == 150


def test_a_table_is_embedded(dl, attrition):
    answer = dl("explain", "embedding", "study.examples=100")
    assert answer.code == 0, answer.err
    assert "nearest neighbours" in answer.err


def test_too_few_examples_for_the_neighbours_are_refused(dl, runs):
    answer = dl("explain", "embedding", "--run", "digits", "--limit", "8")
    assert answer.code == 2
    assert "8 examples are too few for 5 neighbours" in answer.err


@pytest.mark.parametrize("wrong", [{"examples": 9}, {"neighbours": 0}, {"neighbours": 500}, {"perplexity": 0.5}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Embedding(**wrong)


@pytest.mark.parametrize(
    ("features", "inputs", "words"),
    [
        ((0.99, 0.98, 1.0), (0.8, 0.7, 0.9), "have pulled the classes apart"),
        ((0.7, 0.6, 0.8), (0.9, 0.85, 0.95), "no further apart"),
        ((0.85, 0.75, 0.92), (0.8, 0.7, 0.9), "within the intervals"),
    ],
)
def test_what_the_layers_do_is_said_by_the_intervals(features, inputs, words):
    def share(values):
        return Metric(values[0], values[1], values[2], 50, "wilson")

    metrics = {f"explain/trustworthiness/{name}": Metric(0.9) for name in ("pca", "tsne")}
    metrics |= {"explain/knn_accuracy": share(features), "explain/knn_accuracy_inputs": share(inputs)}
    metrics["explain/knn_accuracy_tsne"] = share(features)
    assert words in _words(metrics, 64, 5)[0]
