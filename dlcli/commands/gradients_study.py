"""``dl explain gradients``: backpropagation through a trained network, and by hand through a tiny one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, get_args

from dlcli.commands.explain_study import Findings, Scene
from dlcli.commands.untrained import untrained
from dlcli.contracts import Metric
from dlcli.engine.chain_rule import Derivative, Unit, chain_rule
from dlcli.engine.gradient_flow import LayerFlow, gradient_check, gradient_flow
from dlcli.report.flow import flow_picture, flow_plot

# Between the first layer and the last one; inside it, one learning rate serves all layers.
_FAR = 100.0


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """Gradient flow through the layers of a model, now and before it was trained, and the chain rule on a 2-2-1 network.

    Every gradient is checked: the network's by central differences along random directions, in float64, the tiny network's one
    derivative at a time.

    Args:
        examples: of the split; at least 1.
        directions: of the check; at least 1.
        activation: of the tiny network.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"

    examples: int = 512
    directions: int = 5
    activation: Unit = "sigmoid"

    def __post_init__(self) -> None:
        for name in ("examples", "directions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.activation not in get_args(Unit):
            raise ValueError(f"activation must be one of {', '.join(get_args(Unit))}, got {self.activation!r}")

    def __call__(self, scene: Scene) -> Findings:
        """Returns ``explain/gradient_reach`` (first layer's signal over the last's) and the errors of both checks."""
        batch = scene.batch(self.examples)
        flows = gradient_flow(scene.model, batch)
        before = gradient_flow(untrained(scene.subject.loaded, seed=scene.seed), batch)
        scene.check()
        pairs = gradient_check(scene.model, batch, directions=self.directions, seed=scene.seed)
        error = max(abs(slope - measured) / max(abs(slope), abs(measured), 1e-12) for slope, measured in pairs)
        tiny = chain_rule(unit=self.activation, seed=scene.seed)
        metrics = {
            "explain/gradient_reach": Metric(_reach(flows), n=len(batch.targets)),
            "explain/gradient_reach_untrained": Metric(_reach(before), n=len(batch.targets)),
            "explain/gradient_error": Metric(error, n=self.directions),
            "explain/chain_rule_error": Metric(max(part.error for part in tiny), n=len(tiny)),
        }
        lanes = {"trained": flows, "before training": before}
        return Findings(
            metrics=metrics,
            arrays=_arrays(lanes, pairs),
            pictures={"flow": flow_plot(lanes)},
            shown=[flow_picture(lanes)],
            tables=[
                (f"gradient flow, {len(batch.targets)} {scene.split} examples", _flow_rows(flows)),
                ("chain rule", _rows(tiny)),
            ],
            words=_words(scene, flows, before, error=error, tiny=tiny),
            following=(
                ("dl explain gradients study.activation=relu", "the chain rule through another unit"),
                ("dl explain landscape", "the surface that gradients lead down"),
            ),
        )


def _reach(flows: Sequence[LayerFlow]) -> float:
    """How much of the gradient that arrives at the last layer with weights still arrives at the first one; NaN for none."""
    return flows[0].signal / flows[-1].signal if flows and flows[-1].signal else math.nan


def _flow_rows(flows: Sequence[LayerFlow]) -> list[list[str]]:
    header = ["layer", "outputs (rms)", "gradient arriving", "weight norm", "its gradient", "gradient / weight"]
    return [
        header,
        *([flow.name, *map(_short, (flow.activation, flow.signal, flow.weight, flow.gradient, flow.share))] for flow in flows),
    ]


def _rows(parts: Sequence[Derivative]) -> list[list[str]]:
    header = ["derivative", "chain rule", "finite differences", "=  "]
    return [header, *([part.name, f"{part.value:+.6f}", f"{part.measured:+.6f}", part.rule] for part in parts)]


def _short(value: float) -> str:
    return f"{value:.3g}"


def _words(
    scene: Scene, flows: Sequence[LayerFlow], before: Sequence[LayerFlow], *, error: float, tiny: Sequence[Derivative]
) -> list[str]:
    worst = max(part.error for part in tiny)
    names = f"from {flows[-1].name} down to {flows[0].name}" if flows else "no layer has weights"
    return [
        f"trained, {names}: {_verdict(flows)}",
        f"before training: {_verdict(before)}",
        f"backpropagation against finite differences: the network is off by {error:.1e} at most, the tiny one by {worst:.1e}",
    ]


def _verdict(flows: Sequence[LayerFlow]) -> str:
    """What a reach means for learning."""
    reach = _reach(flows)
    if not math.isfinite(reach):
        return "no gradient arrives at the last layer, so nothing would be learned"
    if len(flows) < 2:
        return "one layer has weights, so there is no way for a gradient to vanish on"
    factor = reach ** (1 / (len(flows) - 1)) if reach else 0.0
    told = f"{_short(reach)} of the last layer's gradient arrives at the first, a factor of {factor:.2f} per layer"
    if reach < 1 / _FAR:
        return f"{told}: it VANISHES, the first layers hardly learn (a norm, a shortcut or relu help)"
    if reach > _FAR:
        return f"{told}: it EXPLODES, the first layers jump (smaller weights, a norm or clipping help)"
    return f"{told}: it neither vanishes nor explodes"


def _arrays(lanes: dict[str, list[LayerFlow]], pairs: Sequence[tuple[float, float]]) -> dict[str, object]:
    arrays: dict[str, object] = {"slopes": pairs}
    for lane, flows in lanes.items():
        key = lane.replace(" ", "_")
        arrays[f"{key}/layers"] = [flow.name for flow in flows]
        for name in ("activation", "signal", "weight", "gradient"):
            arrays[f"{key}/{name}"] = [getattr(flow, name) for flow in flows]
    return arrays
