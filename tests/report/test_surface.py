"""Figures of losses over weights."""

from __future__ import annotations

import torch

from dlcli.report.surface import line_plot, path_plot, surface_picture, surface_plot

SIDE = torch.linspace(-1, 1, 5, dtype=torch.float64)
BOWL = SIDE[None, :] ** 2 + SIDE[:, None] ** 2 + 0.01


def test_a_surface_is_a_png_and_losses_that_are_not_finite_are_drawn_as_high_as_the_highest():
    broken, high = BOWL.clone(), BOWL.clone()
    broken[0, 0], high[0, 0] = float("inf"), float(BOWL.max())
    assert surface_plot(SIDE, SIDE, broken) == surface_plot(SIDE, SIDE, high)
    assert surface_plot(SIDE, SIDE, BOWL).startswith(b"\x89PNG")


def test_a_line_and_a_path_are_pngs():
    shares = torch.linspace(0, 1.2, 7)
    assert line_plot(shares, shares + 1, shares / 2).startswith(b"\x89PNG")
    path = torch.tensor([[-0.8, -0.8], [0.1, 0.2], [0.0, 0.0]])
    assert path_plot(SIDE, SIDE, BOWL, path, shares=(0.8, 0.1)).startswith(b"\x89PNG")


def test_the_terminal_draws_two_cells_for_a_point_and_flat_losses_too():
    lines = surface_picture(BOWL).plain.splitlines()
    assert len(lines) == 5 and len(lines[0]) == 10
    assert surface_picture(torch.ones(3, 3)).plain
