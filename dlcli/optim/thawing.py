"""Which weights of a network are trained at which step, as a function of the step alone, so that a resumed fit agrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

_BATCH_NORMS = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, kw_only=True)
class Thawing:
    """Freezes and unfreezes parameters; called at each step with the model in training mode.

    A batch norm whose parameters are all frozen keeps its running statistics and uses them, as in evaluation: frozen layers
    must not change by what runs through them.

    Args:
        begins: parameter name → the first step at which it is trained; those that it does not name never are.
        keep_statistics: all batch norms use and keep the statistics that they came with; their scale and shift are trained
            all the same.
    """

    begins: Mapping[str, int]
    keep_statistics: bool

    def __call__(self, model: nn.Module, step: int) -> None:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in self.begins and step >= self.begins[name])
        for module in model.modules():
            if isinstance(module, _BATCH_NORMS):
                frozen = not any(parameter.requires_grad for parameter in module.parameters())
                if self.keep_statistics or frozen:
                    module.eval()
