"""What a fit minimises: the loss of the examples as they are, or that of an adversary around it; and what is then best."""

from __future__ import annotations

from torch import nn

from dlcli.commands.radius import with_radius
from dlcli.config.build import build
from dlcli.config.schema import FitSettings
from dlcli.contracts import DataSpec, Objective
from dlcli.engine.state import ROBUST, Plan
from dlcli.errors import UsageError
from dlcli.losses.supervised import Supervised


def objective_of(settings: FitSettings, loss: nn.Module, spec: DataSpec, *, total_steps: int) -> Objective:
    """Returns what the settings want minimised.

    Raises:
        ConfigError: the adversary's settings cannot be.
        UsageError: the data are no images, or have no radius of their own and none was given.
    """
    node = settings.adversary
    if node is None:
        return Supervised(loss)
    if "epsilon" in node and spec.kind != "image":
        raise UsageError(f"an adversary changes images, and '{spec.name}' holds {spec.kind}s", hint="adversary=none")
    own, _ = with_radius("adversary", node, spec)
    objective: Objective = build("adversary", own, loss=loss, total_steps=total_steps)
    return objective


def monitor_of(plan: Plan, objective: Objective) -> str:
    """Returns what "best" means: for auto robust accuracy where there is an adversary, else accuracy.

    Raises:
        UsageError: robust accuracy without an adversary, which nobody measures.
    """
    if plan.monitor == ROBUST and objective.threat is None:
        reason = f"trainer.monitor={ROBUST} is measured with an adversary alone"
        raise UsageError(reason, hint="adversary=pgd, or trainer.monitor=auto")
    if plan.monitor != "auto":
        return plan.monitor
    return "val/accuracy" if objective.threat is None else ROBUST
