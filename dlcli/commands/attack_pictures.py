"""The triple that shows an attack: clean, noise, adversarial."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dlcli.commands.attack_figures import Attacked
from dlcli.commands.attack_goals import Goal
from dlcli.commands.console import Talk
from dlcli.report import terminal
from dlcli.report.images import to_uint8
from dlcli.report.sheet import captioned_rows

SHOWN = 6


def triple(
    attacked: Attacked, classes: Sequence[str], *, attack: str, goal: Goal | None, talk: Talk, null: str = "noise"
) -> bytes:
    """Shows two examples in the terminal, and returns six as PNG: what succeeded first, then what was tried.

    Above each image stands what the model takes it for; with a goal that depends on the example, the goal beside it. ``null`` is
    what the second row is called.
    """
    report = attacked.report
    rows = torch.argsort(2 - report.eligible.int() - report.success.int(), stable=True)[:SHOWN]
    images = [to_uint8(tensor[rows]) for tensor in (report.inputs, attacked.noise.adversarial, report.adversarial)]
    outcomes = (report.clean, attacked.noise.attacked, report.attacked)
    titles = ["clean", null, attack if goal is None else f"{attack} → {goal.words if goal.rule is None else 'goal'}"]
    captions = [[f"→ {classes[int(outcome[row])]}" for row in rows] for outcome in outcomes]
    if goal is not None and goal.number is None and report.goals is not None:
        goals = [classes[int(report.goals[row])] for row in rows]
        captions[-1] = [f"{caption} (goal {each})" for caption, each in zip(captions[-1], goals, strict=True)]
    shown = torch.stack(images, dim=1).flatten(0, 1)
    labels = [
        f"{title}: {classes[int(outcome[row])]}" for row in rows[:2] for title, outcome in zip(titles, outcomes, strict=True)
    ]
    talk.picture(terminal.gallery(shown[: len(labels)], labels, columns=3))
    return captioned_rows(images, titles, captions)
