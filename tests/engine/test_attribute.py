"""Running an explainer: maps of the predicted class, refused where they have another shape or are not finite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from dlcli.data.memory import MemorySplit
from dlcli.engine.attribute import ExplainReport, attribute
from dlcli.errors import ComputeError


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """Maps of one value: the explained class plus a keyed draw, in a given shape."""

    shape: tuple[int, ...] = (3, 5)
    factor: float = 1.0
    kind: ClassVar[str] = "explainer"

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: Any = None) -> Tensor:
        values = targets.float() * self.factor + 0.5 * rng.uniform("x", 0)
        return values.reshape(-1, *(1,) * len(self.shape)).expand(len(inputs), *self.shape)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(15, 4))


def explained(explainer: Any, *, size: int = 4, columns: bool = False) -> list[ExplainReport]:
    inputs = torch.rand(6, 15 if columns else 1, *(() if columns else (3, 5)), generator=torch.Generator().manual_seed(0))
    split = MemorySplit(inputs, torch.zeros(6, dtype=torch.int64))
    return list(attribute(model(), explainer, split, batch_size=size, seed=0))


def test_the_predicted_class_is_explained_with_its_probability() -> None:
    for report in explained(Mapped()):
        chances = model()(report.inputs).softmax(dim=1)
        torch.testing.assert_close(report.confidence, chances.amax(dim=1).detach())
        assert torch.equal(report.predicted, chances.argmax(dim=1))
        assert torch.equal(report.maps[:, 0, 0].floor().long(), report.predicted)
        assert not report.maps.requires_grad


def test_another_class_can_be_asked_for() -> None:
    split = MemorySplit(torch.rand(6, 1, 3, 5), torch.arange(6) % 4)
    (report,) = attribute(model(), Mapped(), split, batch_size=6, seed=0, explained=lambda chances, targets: (targets + 1) % 4)
    assert torch.equal(report.explained, (split.targets + 1) % 4)
    assert torch.equal(report.maps[:, 0, 0].floor().long(), report.explained)
    chances = model()(report.inputs).softmax(dim=1)
    torch.testing.assert_close(report.confidence, chances.gather(1, report.explained[:, None])[:, 0].detach())


def test_a_map_of_zeros_is_known_as_empty() -> None:
    (report,) = explained(Mapped(factor=0.0), size=6)
    assert not report.empty.any()
    zeros = ExplainReport(**{**vars(report), "maps": torch.zeros(6, 3, 5)})
    assert zeros.empty.all()


def test_maps_do_not_depend_on_the_batches() -> None:
    whole = torch.cat([report.maps for report in explained(Mapped(), size=6)])
    assert torch.equal(whole, torch.cat([report.maps for report in explained(Mapped(), size=1)]))


@pytest.mark.parametrize(("shape", "columns"), [((5, 3), False), ((1, 3, 5), False), ((3, 5), True)])
def test_maps_of_another_shape_are_refused(shape: tuple[int, ...], columns: bool) -> None:
    with pytest.raises(ComputeError, match="expected finite"):
        explained(Mapped(shape=shape), columns=columns)


def test_maps_of_tables_have_a_value_per_column() -> None:
    assert explained(Mapped(shape=(15,)), columns=True)[0].maps.shape == (4, 15)


def test_maps_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ComputeError, match="not finite"):
        explained(Mapped(factor=float("nan")))
