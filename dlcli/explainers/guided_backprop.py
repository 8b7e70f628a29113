"""Guided backpropagation: a gradient that lets only positive evidence pass; sharp, and hardly a word about the class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.errors import UsageError
from dlcli.explainers.evidence import lent
from dlcli.explainers.outside import ClassLogits, of_copy, rectifiers, seeded
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class GuidedBackprop:
    """Guided backpropagation, by captum (Springenberg et al. 2015, "Striving for simplicity", §3.4).

    Fails the sanity check: its maps stay much the same where the weights are drawn anew (Adebayo et al. 2018, "Sanity checks for
    saliency maps"), so they show edges more than reasons. Signed, summed over channels or over the features of a column.
    """

    kind: ClassVar[str] = "explainer"
    note: ClassVar[str] = "guided_backprop fails the sanity check (Adebayo et al. 2018): it shows edges more than reasons"

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D); draws nothing.

        Raises:
            UsageError: no ReLU is a module, or some ReLU is not: captum would return the plain gradient there and not say so.
        """
        from captum.attr import GuidedBackprop as Guided

        with lent(model):
            evidence = of_copy(model, inputs, targets)
            found = rectifiers(evidence)
            if found.functional or not found.modules:
                what = "calls a functional ReLU" if found.functional else "has none"
                raise UsageError(f"guided_backprop changes ReLU modules only; this model {what}", hint="dl explain saliency")
            points = evidence.points(evidence.inputs)
            with seeded(0), torch.enable_grad():
                guided = Guided(ClassLogits(evidence))
                # Captum needs a way from the input to the logit; a model without one has a zero gradient.
                gradients = guided.attribute(points.requires_grad_(), additional_forward_args=(evidence.rows,))
            return evidence.maps(gradients.detach().float())
