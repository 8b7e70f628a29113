"""Points, class logits and maps: by hand, and on a table whose categories become vectors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlcli.classifier import Classifier
from dlcli.contracts import DataSpec
from dlcli.explainers.evidence import Evidence, absent, blocks, check_baseline, check_positive, lent


def test_the_points_of_a_table_with_categories_are_the_encoders_features(people: Any) -> None:
    model, rows, targets = people
    evidence = Evidence.of(model, rows, targets)
    points = evidence.points(rows)
    assert torch.allclose(points[:, :2], torch.tensor([[1.0, -2.0], [-2.0, 0.0]]))
    assert torch.allclose(evidence.values(points, evidence.rows), model(rows)[:, 0].detach() * torch.tensor([1.0, -1.0]))


def test_a_missing_row_has_the_features_of_the_means_and_of_the_unknown_category(people: Any) -> None:
    model, rows, targets = people
    points = Evidence.of(model, rows, targets).points(absent(model, rows))
    assert (points == 0).all()


def test_maps_add_up_the_features_of_a_column(people: Any) -> None:
    model, rows, targets = people
    evidence = Evidence.of(model, rows, targets)
    attributions = torch.arange(10.0).reshape(2, 5)[:, : evidence.points(rows).shape[1]]
    maps = evidence.maps(attributions)
    assert maps.shape == (2, 3)
    assert torch.equal(maps[:, [0, 2]], attributions[:, :2])
    assert torch.allclose(maps.sum(dim=1), attributions.sum(dim=1))


def test_no_hook_is_left_on_the_encoder(people: Any) -> None:
    model, rows, targets = people
    evidence = Evidence.of(model, rows, targets)
    evidence.gradients(evidence.points(rows), evidence.rows)
    assert not any(part._forward_hooks for part in model.modules())


def test_absent_images_have_the_mean_colour_that_the_model_knows_else_their_own_or_are_black() -> None:
    images = torch.rand(2, 3, 4, 4)
    spec = DataSpec(name="x", shape=(3, 4, 4), classes=("a", "b"), mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0), epsilon={})
    known = Classifier(spec, nn.Flatten())
    assert torch.allclose(absent(known, images)[1, :, 2, 2], torch.tensor([0.1, 0.2, 0.3]))
    assert torch.allclose(absent(nn.Flatten(), images)[:, :, 0, 0], images.mean(dim=(2, 3)))
    assert not absent(known, images, "zero").any()


def test_blocks_cover_all_steps_and_never_stand_still() -> None:
    assert [list(block) for block in blocks(5, 3, 6)] == [[0, 1], [2, 3], [4]]
    assert [list(block) for block in blocks(2, 100, 6)] == [[0], [1]]


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="mean, zero"):
        check_baseline("blur")
    with pytest.raises(ValueError, match="steps must be at least 1"):
        check_positive(steps=0)


def test_a_lent_model_computes_gradients_also_under_inference_mode() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.inference_mode():
        inputs, targets = torch.rand(2, 1, 2, 2), torch.tensor([0, 1])
        with lent(model):
            evidence = Evidence.of(model, inputs, targets)
            found = evidence.gradients(evidence.inputs, evidence.rows)
    assert torch.equal(found.flatten(1), model[1].weight.detach())
