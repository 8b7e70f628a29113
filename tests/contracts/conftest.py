"""Small models, their data, and a watch over everything that must be given back as it was."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

# The one override that keeps iterative components small here.
BUDGET = {"steps": 5, "restarts": 1, "targets": 2, "queries": 100, "samples": 4, "rotations": 5, "translations": 3}
# Adam's first steps are as long as its rate and no longer, whatever the slope, so five of them lead nowhere.
OWN_BUDGET = {"cw": {"steps": 30, "search_steps": 4}, "hopskipjump": {"queries": 400}}


class Boom(Exception):
    """Thrown inside a model."""


class Fuse(nn.Identity):
    """Passes its input on, and throws at forward pass number ``at`` (from 1; 0 for never)."""

    def __init__(self) -> None:
        super().__init__()
        self.at, self.count = 0, 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.count += 1
        if self.count == self.at:
            raise Boom
        return inputs


def affine(classes: int, shape: tuple[int, ...]) -> nn.Module:
    """A linear model whose logits are small enough for honest gradients."""
    torch.manual_seed(classes)
    size = int(torch.Size(shape).numel())
    return nn.Sequential(nn.Flatten(), nn.Linear(size, classes), Fuse())


def convolutional(classes: int, shape: tuple[int, ...]) -> nn.Module:
    """A conv net with BatchNorm, in-place activation and dropout; training mode, but one norm and one weight frozen."""
    torch.manual_seed(classes)
    model = nn.Sequential(
        nn.Conv2d(shape[0], 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(6 * (shape[1] // 2) * (shape[2] // 2), classes),
        Fuse(),
    )
    for norm in (model[1], model[4]):
        nn.init.uniform_(norm.running_mean, -0.1, 0.1)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
    model.train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model[9].weight.grad = torch.ones_like(model[9].weight)
    return model


@pytest.fixture(params=[affine, convolutional], ids=lambda make: make.__name__)
def make_model(request: pytest.FixtureRequest) -> Callable[[int, tuple[int, ...]], nn.Module]:
    return request.param


@pytest.fixture
def make_conv_net() -> Callable[[int, tuple[int, ...]], nn.Module]:
    return convolutional


@pytest.fixture
def make_affine() -> Callable[[int, tuple[int, ...]], nn.Module]:
    return affine


@pytest.fixture
def build() -> Callable[..., Any]:
    """Builds what a YAML describes, with "auto" radii set and budgets cut."""

    def built(path: Path, **changes: Any) -> Any:
        settings = yaml.safe_load(path.read_text())
        module, _, name = settings.pop("_target_").rpartition(".")
        if settings.get("epsilon") == "auto":
            settings["epsilon"] = 0.1
        settings |= {key: value for key, value in (BUDGET | OWN_BUDGET.get(path.stem, {})).items() if key in settings}
        settings |= {key: value for key, value in changes.items() if key in settings}
        return getattr(importlib.import_module(module), name)(**settings)

    return built


def state(model: nn.Module) -> dict[str, Any]:
    """Everything of a model, and of torch, that a borrower could change by mistake."""
    return {
        "tensors": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "gradients": {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()},
        "trainable": {name: p.requires_grad for name, p in model.named_parameters()},
        "training": {name: module.training for name, module in model.named_modules()},
        "hooks": {
            name: (len(module._forward_hooks), len(module._forward_pre_hooks), len(module._backward_hooks))
            for name, module in model.named_modules()
        },
        "random": torch.get_rng_state(),
    }


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """The places where two states differ."""
    if isinstance(before, dict):
        return [place for key in before for place in differences(before[key], after[key], f"{path}/{key}")]
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return [] if torch.equal(before, after) else [path]
    return [] if type(before) is type(after) and before == after else [path]


@pytest.fixture
def assert_untouched() -> Callable[..., AbstractContextManager[None]]:
    """A context at whose end the model, the tensors and the global random state are what they were."""

    @contextmanager
    def watch(model: nn.Module, *tensors: Tensor) -> Iterator[None]:
        before, copies = state(model), [tensor.clone() for tensor in tensors]
        try:
            yield
        finally:
            assert differences(before, state(model)) == []
            assert all(torch.equal(tensor, copy) for tensor, copy in zip(tensors, copies, strict=True))
            assert all(tensor.grad is None and not tensor.requires_grad for tensor in tensors)

    return watch


@pytest.fixture
def boom() -> type[Exception]:
    return Boom


def images(count: int, shape: tuple[int, ...]) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def make_images() -> Callable[[int, tuple[int, ...]], Tensor]:
    """Images in [0, 1], always the same."""
    return images
