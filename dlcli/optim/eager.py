"""torch's optimizers without the import of torch's compiler."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import torch
from torch.optim import Optimizer

_DECORATED = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")


@functools.cache
def eager(owner: type[Optimizer]) -> type[Optimizer]:
    """Returns a subclass of a ``torch.optim`` class that computes the same bits and does not import ``torch._dynamo``.

    torch decorates these methods so that its compiler leaves them alone, and the decorators import the compiler at the first
    call: 1.8 s and 180 MB for every training run on two cores, compiled or not. Below the decorators lie the same functions,
    and ``step`` gets back the gradient mode that its decorator sets.

    Args:
        owner: a class from anywhere; one that is not torch's own comes back as it is.
    """
    if not owner.__module__.startswith("torch.optim."):
        return owner
    kernel = inspect.unwrap(owner.step)

    def step(self: Optimizer, closure: Any = None) -> Any:
        with torch.set_grad_enabled(self.defaults.get("differentiable", False)):
            return kernel(self, closure)

    own = {name: inspect.unwrap(getattr(owner, name)) for name in _DECORATED}
    return type(owner.__name__, (owner,), {**own, "step": step, "__doc__": owner.__doc__, "__module__": __name__})
