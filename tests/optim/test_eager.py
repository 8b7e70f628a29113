"""torch's optimizers without torch's compiler: the same bits, and nothing else changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from dlcli.optim.eager import eager

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "optimizer").glob("*.yaml"))
MORE: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "maximize": True}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("Adadelta", {"lr": 1.0}),
    ("Adafactor", {"lr": 0.1}),
    ("NAdam", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.5, "centered": True}),
]


def shipped() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in CONFIGS:
        values = yaml.safe_load(path.read_text())
        found.append((values.pop("_target_").rpartition(".")[2], values))
    return found


def trained(owner: type[Optimizer], settings: dict[str, Any], *, resume_at: int | None = None) -> list[Tensor]:
    """Parameters and optimizer state after six steps; with ``resume_at`` a new optimizer takes over there."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    inputs, targets = torch.randn(16, 5), torch.randint(3, (16,))
    optimizer: Any = owner(model.parameters(), **settings)
    for step in range(6):
        if step == resume_at:
            state = optimizer.state_dict()
            optimizer = owner(model.parameters(), **settings)
            optimizer.load_state_dict(state)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    kept = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    return [*(parameter.detach() for parameter in model.parameters()), *kept]


@pytest.mark.parametrize(("name", "settings"), [*shipped(), *MORE], ids=lambda value: value if isinstance(value, str) else "")
def test_the_steps_are_those_of_torch_bit_for_bit(name, settings):
    owner = getattr(torch.optim, name)
    for resume_at in (None, 3):
        own, theirs = trained(eager(owner), settings, resume_at=resume_at), trained(owner, settings)
        assert len(own) == len(theirs) >= 4
        assert all(torch.equal(mine, other) for mine, other in zip(own, theirs, strict=True))


def test_no_shipped_optimizer_loads_the_compiler_where_torchs_own_does(python):
    code = (
        "import sys, torch; from dlcli.optim.eager import eager\n"
        "weight = torch.nn.Parameter(torch.ones(3))\n"
        f"for name, settings in {shipped()!r}:\n"
        "    optimizer = eager(getattr(torch.optim, name))([weight], **settings)\n"
        "    weight.sum().backward(); optimizer.step(); optimizer.zero_grad()\n"
        "    optimizer.load_state_dict(optimizer.state_dict())\n"
        "print('torch._dynamo' in sys.modules); torch.optim.SGD([weight], lr=0.1); print('torch._dynamo' in sys.modules)"
    )
    assert python(code).out.split() == ["False", "True"]


def test_it_is_a_subclass_under_the_same_name_made_once():
    own = eager(torch.optim.AdamW)
    assert issubclass(own, torch.optim.AdamW)
    assert own.__name__ == "AdamW"
    assert eager(torch.optim.AdamW) is own


def test_an_optimizer_from_elsewhere_comes_back_as_it_is():
    class Mine(torch.optim.SGD):
        pass

    assert eager(Mine) is Mine


def test_hooks_and_closures_work_as_in_torch():
    seen: list[Optimizer] = []
    handle = register_optimizer_step_post_hook(lambda optimizer, *_: seen.append(optimizer))
    weight = nn.Parameter(torch.ones(1))
    optimizer = eager(torch.optim.SGD)([weight], lr=0.5)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (3 * weight).sum()
        loss.backward()
        return loss

    try:
        assert optimizer.step(closure).item() == 3.0
    finally:
        handle.remove()
    assert seen == [optimizer]
    assert weight.item() == 1.0 - 0.5 * 3
    assert weight.grad_fn is None


def test_a_differentiable_step_keeps_its_graph():
    start = torch.ones(1, requires_grad=True)
    weight = start.clone()
    weight.grad = torch.ones(1)
    eager(torch.optim.SGD)([weight], lr=0.5, differentiable=True).step()
    assert weight.requires_grad
    assert weight.grad_fn is not None
