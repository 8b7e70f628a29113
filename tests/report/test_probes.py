"""The figure of linear probes."""

from __future__ import annotations

from dlcli.contracts import Metric
from dlcli.report.probes import probes_picture, probes_plot

PROBES = {"input": Metric(0.8, 0.7, 0.9, 50, "wilson"), "net.features.0": Metric(0.95, 0.9, 0.99, 50, "wilson")}


def test_the_figure_is_a_png_that_shows_the_interval():
    narrow = {**PROBES, "input": Metric(0.8, 0.79, 0.81, 5000, "wilson")}
    assert probes_plot(PROBES).startswith(b"\x89PNG")
    assert probes_plot(PROBES) == probes_plot(PROBES) != probes_plot(narrow)


def test_the_terminal_names_the_last_depths_accuracy():
    assert "95" in probes_picture(PROBES).plain
