"""The figure of gradient flow."""

from __future__ import annotations

from dlcli.engine.gradient_flow import LayerFlow
from dlcli.report.flow import flow_picture, flow_plot


def flows(factor: float) -> list[LayerFlow]:
    return [
        LayerFlow(name=f"net.{place}", kind="Linear", activation=1.0, signal=factor**place, weight=2.0, gradient=0.1)
        for place in range(4)
    ]


def test_the_figure_is_a_png_and_the_same_numbers_give_the_same_bytes():
    lanes = {"trained": flows(2.0), "before training": flows(10.0)}
    first = flow_plot(lanes)
    assert first.startswith(b"\x89PNG")
    assert first == flow_plot(lanes)
    assert first != flow_plot({"trained": flows(3.0), "before training": flows(10.0)})


def test_a_gradient_of_zero_is_a_gap_and_a_network_without_weights_is_said():
    dead = [LayerFlow(name="a", kind="Linear", activation=0.0, signal=0.0, weight=0.0, gradient=0.0)]
    assert flow_plot({"trained": dead}).startswith(b"\x89PNG")
    assert flow_plot({}) != flow_plot({"trained": dead})
    assert "no finite values" in flow_picture({"trained": dead}).plain


def test_the_terminal_draws_powers_of_ten():
    assert "3" in flow_picture({"trained": flows(10.0)}).plain
