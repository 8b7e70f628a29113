"""Layer-wise relevance propagation: the logit sent back layer by layer, to each input what it gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dlcli.errors import UsageError
from dlcli.explainers.evidence import lent
from dlcli.explainers.logits import target_logits
from dlcli.explainers.outside import of_copy, rectifiers, seeded
from dlcli.randomness import SampleKeys

_HINT = "dl explain integrated_gradients"
_JOINS = {torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__iadd__, torch.cat, torch.mul, Tensor.mul, Tensor.__mul__}
# Layers that captum knows, and those that it does not and that the same rule fits.
_KNOWN = (nn.Linear, nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.BatchNorm2d, nn.ReLU, nn.Tanh, nn.Dropout)
_FITTING = (nn.AdaptiveMaxPool2d, nn.Flatten, nn.Identity)


@dataclass(frozen=True, kw_only=True)
class LRP:
    """Layer-wise relevance propagation with the epsilon rule, by captum (Bach et al. 2015, "On pixel-wise explanations", eq. 58).

    Signed, in units of the logit, summed over channels. Relevance starts from what the network itself is given, standardised
    inputs. Where there are biases they keep a share, so that the sum is the logit only without them. It follows chains of
    layers that are modules; anything else is refused, since captum would pass over it and not say so.
    """

    kind: ClassVar[str] = "explainer"

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D); draws nothing.

        Raises:
            UsageError: the model holds a layer without a rule, or joins branches.
        """
        from captum.attr import LRP as Captum
        from captum.attr._utils.lrp_rules import EpsilonRule

        with lent(model):
            evidence = of_copy(model, inputs, targets)
            net, points = _inside(evidence.model, evidence.inputs)
            _refuse(net, points, functional=rectifiers(evidence).functional > 0)
            for part in net.modules():
                if isinstance(part, _FITTING):
                    part.rule = EpsilonRule()
            chosen = _Chosen(net, evidence.targets)
            with seeded(0), torch.enable_grad():
                shares = Captum(chosen).attribute(points.clone().requires_grad_())
            relevance: Tensor = shares.detach().float()
            return relevance.sum(dim=1) if relevance.ndim == 4 else relevance


class _Chosen(nn.Module):
    def __init__(self, net: nn.Module, targets: Tensor) -> None:
        super().__init__()
        self.net, self.targets = net, targets

    def forward(self, points: Tensor) -> Tensor:
        return target_logits(self.net(points), self.targets)


def _inside(model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    """A classifier's own network and what it is given; of any other model the same."""
    mean, std, net = (getattr(model, name, None) for name in ("mean", "std", "net"))
    if isinstance(mean, Tensor) and isinstance(std, Tensor) and isinstance(net, nn.Module):
        return net, (inputs - mean) / std
    return model, inputs


def _refuse(net: nn.Module, points: Tensor, *, functional: bool) -> None:
    parts = [part for part in net.modules() if not list(part.children())]
    other = next((part for part in parts if not isinstance(part, _KNOWN + _FITTING)), None)
    if other is not None:
        raise UsageError(f"lrp has no rule for {type(other).__name__}, a layer of this model", hint=_HINT)
    with torch.no_grad(), _Joining() as joining:
        net(points[:1].clone())
    if joining.seen or functional:
        what = "joins branches" if joining.seen else "calls a functional ReLU"
        raise UsageError(f"lrp follows chains of layers; this model {what} between them", hint=_HINT)


class _Joining(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.seen |= func in _JOINS
        return func(*args, **(kwargs or {}))
