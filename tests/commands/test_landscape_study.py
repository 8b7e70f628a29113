"""``dl explain landscape``: on images, on an MLP and on a table; its figures against direct ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dlcli.commands.landscape_study import LossLandscape, _barrier, _first
from dlcli.contracts import Batch

SMALL = ("study.examples=60", "study.resolution=3", "study.line=5", "study.lanczos=4", "study.replay_steps=10")


@pytest.mark.parametrize("model", ["digits", "flat"])
def test_the_surfaces_middle_and_the_lines_end_are_the_loss(dl, runs, model):
    answer = dl("explain", "landscape", "--run", model, *SMALL, "--json")
    assert answer.code == 0, answer.err
    result = json.loads(answer.out)
    metrics = result["metrics"]
    (run,) = (path.parent for path in runs.glob("explain/landscape/*/result.json"))
    with np.load(run / result["files"]["arrays"], allow_pickle=False) as arrays:
        loss = metrics["explain/loss"]["value"]
        assert arrays["surface/losses"][1, 1] == pytest.approx(loss, rel=1e-5)
        assert arrays["line/losses"][4] == pytest.approx(loss, rel=1e-5)
        assert np.isfinite(arrays["line/losses"]).all()
        assert arrays["line/losses"][0] == pytest.approx(metrics["explain/loss_first_weights"]["value"])
    low, high = metrics["explain/hessian_min"], metrics["explain/hessian_max"]
    assert low["low"] <= low["value"] <= high["value"] <= high["high"]
    assert set(result["files"]) == {"surface", "interpolation", "path", "arrays"}


def test_a_table_has_a_landscape(dl, attrition):
    answer = dl("explain", "landscape", *SMALL)
    assert answer.code == 0, answer.err
    assert "Hessian: highest eigenvalue" in answer.err


def test_a_finetuned_model_has_no_path_and_says_so(dl, runs):
    assert dl("finetune", "--run", "digits", "--data", "digits", "--epochs", "1", "--name", "tuned", "--quiet").code == 0
    answer = dl("explain", "landscape", "--run", "tuned", *SMALL)
    assert answer.code == 0, answer.err
    assert "no way of training is drawn" in answer.err


def test_a_barrier_is_what_rises_above_the_straight_line():
    shares = torch.tensor([0.0, 0.5, 1.0, 1.25])
    assert _barrier(shares, torch.tensor([2.0, 3.0, 0.0, 9.0])) == 2.0
    assert _barrier(shares, torch.tensor([2.0, 0.5, 0.0, 9.0])) == 0.0


def test_the_first_examples_of_batches_are_cut_in_the_middle():
    batches = [Batch(torch.rand(4, 2), torch.arange(4), torch.arange(4)) for _ in range(3)]
    assert [len(batch.targets) for batch in _first(batches, 6)] == [4, 2]


@pytest.mark.parametrize("wrong", [{"resolution": 2}, {"radius": 0.0}, {"lanczos": 1}, {"line": 2}, {"replay_steps": -1}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LossLandscape(**wrong)
