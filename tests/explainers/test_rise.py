"""RISE against its expectation on a linear model, its masks, and a planted patch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlcli.explainers.rise import RISE
from dlcli.randomness import SampleKeys


def test_for_a_linear_model_on_a_table_it_is_one_minus_p_of_weight_times_what_is_taken_away() -> None:
    # Cov(Σ w x M, M_k) / p = w_k x_k p (1 - p) / p for independent M.
    torch.manual_seed(0)
    model, rows = nn.Linear(5, 2), torch.rand(2, 5)
    targets = torch.tensor([0, 1])
    expected = model.weight[targets].detach() * rows * (1 - 0.3)
    found = RISE(samples=6000, keep=0.3, score="logit", at_once=4000)(model, rows, targets)
    assert torch.allclose(found, expected, atol=0.04)


def test_for_a_linear_model_on_images_it_is_the_masks_covariance_with_the_score() -> None:
    torch.manual_seed(0)
    explainer, keys = RISE(samples=300, cells=2, score="logit", fill="zero", at_once=7), SampleKeys(4, torch.arange(2))
    model, images, targets = nn.Sequential(nn.Flatten(), nn.Linear(20, 3)), torch.rand(2, 1, 4, 5), torch.tensor([2, 0])
    masks = torch.stack([explainer._masks(keys, step, images) for step in range(300)])
    with torch.no_grad():
        scores = torch.stack([model(images * mask[:, None])[[0, 1], targets] for mask in masks])
    centred = scores - scores.mean(dim=0)
    expected = torch.einsum("sn,snhw->nhw", centred, masks - masks.mean(dim=0)) / (0.5 * 299)
    assert torch.allclose(explainer(model, images, targets, rng=keys), expected, atol=1e-5)


def test_masks_are_smooth_differ_between_examples_and_keep_a_share_p() -> None:
    explainer, keys, images = RISE(cells=4, keep=0.3), SampleKeys(0, torch.arange(400)), torch.zeros(400, 1, 30, 21)
    masks = explainer._masks(keys, 0, images)
    assert masks.shape == (400, 30, 21)
    assert 0 <= float(masks.min()) <= float(masks.max()) <= 1
    assert float(masks.mean()) == pytest.approx(0.3, abs=0.03)
    assert not torch.equal(masks[0], masks[1])
    # Enlarged from cells of 8 x 6 pixels, neighbours differ by at most 1/6.
    assert float(masks.diff(dim=1).abs().max()) <= 1 / 8 + 1e-6
    assert float(masks.diff(dim=2).abs().max()) <= 1 / 6 + 1e-6


def test_a_column_of_a_table_is_kept_or_missing_never_mixed(people: Any) -> None:
    model, rows, targets = people
    found = RISE(samples=50)(model, rows, targets)
    assert found.shape == rows.shape
    assert found.isfinite().all()
    assert found.any()


def test_a_constant_model_gives_zero() -> None:
    model = nn.Linear(4, 2)
    nn.init.zeros_(model.weight)
    assert torch.allclose(
        RISE(samples=10)(model, torch.rand(3, 4), torch.zeros(3, dtype=torch.long)), torch.zeros(3, 4), atol=1e-6
    )


def test_the_largest_value_lies_on_the_planted_patch(planted: Any) -> None:
    maps = RISE(samples=300, cells=7)(planted.model, planted.images, torch.ones(100, dtype=torch.long))
    assert planted.share_found(maps) >= 0.95


@pytest.mark.parametrize(
    ("field", "value"), [("samples", 1), ("cells", 0), ("keep", 1.0), ("score", "loss"), ("at_once", 0), ("fill", "blur")]
)
def test_a_wrong_setting_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match="baseline" if field == "fill" else field):
        RISE(**{field: value})
