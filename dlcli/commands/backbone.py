from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from dlcli.commands.console import Talk
from dlcli.commands.pretrained import published_weights
from dlcli.models.pretrained import Pretrained, describe


@dataclass(frozen=True, kw_only=True)
class Backbone:
    published: Pretrained
    tensors: Mapping[str, Tensor] | None
    source: str
    reference: str | None
    origin: Mapping[str, str]


def load_backbone(name: str, weights: str, talk: Talk) -> Backbone:
    p = describe(name)
    t = None if weights == "none" else p.own_weights(published_weights(p, talk))
    return Backbone(
        published=p,
        tensors=t,
        source=p.reference,
        reference=p.reference if t else None,
        origin={"backbone": name, "weights": weights},
    )


def start_weights(backbone, model, *, head, talk):
    own = model.state_dict()
    if backbone.tensors is None:
        return own
    return {n: own[n] if n.startswith(head + ".") else backbone.tensors[n] for n in own}
