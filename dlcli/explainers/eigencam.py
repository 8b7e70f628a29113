"""Eigen-CAM: the main direction of the last feature maps, whatever the class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dlcli.explainers.cam import GradientCAM


@dataclass(frozen=True, kw_only=True)
class EigenCAM(GradientCAM):
    """Eigen-CAM (Muhammad and Yeasin 2020): the projection of the maps on their first principal component.

    The positions are the rows of a matrix of C columns, which are centred; the map is its product with its first right singular
    vector. It asks for no class. A singular vector has no sign: the map is turned so that its largest value in size is positive,
    and what is negative then is set to zero.
    """

    title: ClassVar[str] = "eigencam"
    class_dependent: ClassVar[bool] = False

    def combine(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Returns the projections; ``gradients`` are not looked at."""
        rows = maps.flatten(2).transpose(1, 2)
        rows = rows - rows.mean(dim=1, keepdim=True)
        # Of the small side's Gram matrix, in double precision: squares lose half of the digits.
        _, vectors = torch.linalg.eigh(rows.double() @ rows.double().transpose(1, 2))
        cam = _projection(rows.double(), vectors[:, :, -1]).float().reshape(len(maps), *maps.shape[2:])
        turned = cam.amax(dim=(1, 2), keepdim=True) < -cam.amin(dim=(1, 2), keepdim=True)
        return torch.where(turned, -cam, cam).relu()


def _projection(rows: Tensor, left: Tensor) -> Tensor:
    """Returns rows times their first right singular vector, which is σ₁ times the first left one, (N, h·w)."""
    along = (rows.transpose(1, 2) @ left[:, :, None])[:, :, 0]
    projected: Tensor = left * along.norm(dim=1, keepdim=True)
    return projected
