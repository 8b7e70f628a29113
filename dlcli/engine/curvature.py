"""How the loss bends: extreme eigenvalues of its Hessian, by products with vectors alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import class_logits
from dlcli.contracts import Batch
from dlcli.randomness import SampleKeys, borrowed_rng

Product = Callable[[Tensor], Tensor]
_EXHAUSTED = 1e-10


@dataclass(frozen=True, eq=False)
class Extreme:
    """An approximate eigenpair of a symmetric matrix H.

    Some eigenvalue lies within ``residual`` of ``value``; ``value`` itself is vᵀHv, so the smallest eigenvalue is not above it
    and the largest not below.

    Args:
        value: the Rayleigh quotient vᵀHv.
        residual: ‖Hv - value·v‖₂.
        vector: v, float64 (D,), of length 1.
    """

    value: float
    residual: float
    vector: Tensor


def lanczos(product: Product, size: int, *, steps: int, seed: int, check: Callable[[], None] = lambda: None) -> list[Tensor]:
    """Returns the vectors of length 1 for the lowest and the highest Ritz value, float64 (size,) each.

    Every new vector is made orthogonal to all before it, twice, so no eigenvalue comes up as a ghost. Source: Lanczos 1950; Golub
    and Van Loan 2013, "Matrix computations", §10.1 and §10.3.

    Args:
        product: float64 (size,) → H times it.
        steps: products with H at most.
    """
    start = SampleKeys(seed, torch.tensor([0])).normal("lanczos", 0, (size,))[0].double()
    basis = [start / start.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(steps, size)):
        check()
        image = product(basis[-1])
        diagonal.append(float(image @ basis[-1]))
        known = torch.stack(basis)
        for _ in range(2):
            image = image - known.T @ (known @ image)
        length = float(image.norm())
        scale = max(map(abs, diagonal), default=1.0)
        if not math.isfinite(length) or length <= _EXHAUSTED * max(scale, 1e-30) or len(diagonal) == min(steps, size):
            break
        beside.append(length)
        basis.append(image / length)
    band = torch.tensor(beside[: len(diagonal) - 1], dtype=torch.float64)
    small = torch.diag(torch.tensor(diagonal, dtype=torch.float64)) + torch.diag(band, 1) + torch.diag(band, -1)
    _, ritz = torch.linalg.eigh(small)
    known = torch.stack(basis[: len(diagonal)])
    return [_unit(ritz[:, place] @ known) for place in (0, -1)]


def _unit(vector: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vector, dim=0)


def extreme_of(product: Product, vector: Tensor) -> Extreme:
    """Returns how well a vector of length 1 fits as an eigenvector."""
    image = product(vector)
    value = float(vector @ image)
    return Extreme(value, float((image - value * vector).norm()), vector)


def hessian_product(model: nn.Module, batches: Sequence[Batch], *, dtype: torch.dtype = torch.float32) -> tuple[Product, int]:
    """Returns v → Hv and the number of weights, H the Hessian of the mean cross-entropy over all of ``batches``.

    By differentiating gradient·v (Pearlmutter 1994, "Fast exact multiplication by the Hessian"), in evaluation mode, on a copy of
    the model. Where a network has kinks (relu, max-pool) it is the Hessian of the smooth piece that the weights lie in.

    Args:
        dtype: that the copy computes in.
    """
    twin = copy.deepcopy(model).to(dtype).eval().requires_grad_(True)
    parameters = list(twin.parameters())
    total = sum(len(batch.targets) for batch in batches)
    device = parameters[0].device

    def product(vector: Tensor) -> Tensor:
        parts = _shaped(vector.to(device=device, dtype=dtype), parameters)
        result = torch.zeros(len(vector), dtype=torch.float64)
        for batch in batches:
            with torch.inference_mode(False), torch.enable_grad(), borrowed_rng():
                logits = class_logits(twin(batch.inputs.to(dtype)))
                loss = nn.functional.cross_entropy(logits, batch.targets, reduction="sum") / total
                slopes = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True, allow_unused=True)
                along = sum(((slope * part).sum() for slope, part in zip(slopes, parts, strict=True)), torch.zeros_like(loss))
                if not along.requires_grad:
                    continue
                found = torch.autograd.grad(along, parameters, materialize_grads=True, allow_unused=True)
            result += torch.cat([part.detach().flatten() for part in found]).double().cpu()
        return result

    return product, sum(parameter.numel() for parameter in parameters)


def _shaped(vector: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    parts = torch.split(vector, [parameter.numel() for parameter in parameters])
    return [part.reshape(parameter.shape) for part, parameter in zip(parts, parameters, strict=True)]


def as_direction(vector: Tensor, model: nn.Module) -> dict[str, Tensor]:
    """Returns a vector of all weights (D,) as one tensor per parameter of ``model``, by name."""
    named = dict(model.named_parameters())
    return {name: part.to(own) for (name, own), part in zip(named.items(), _shaped(vector, list(named.values())), strict=True)}
