"""The triple of an attack."""

import io

import numpy as np
import torch
from PIL import Image

from dlcli.commands.attack_figures import Attacked
from dlcli.commands.attack_goals import Goal
from dlcli.commands.attack_pictures import SHOWN, triple
from dlcli.commands.console import Talk
from dlcli.engine.perturb import AttackReport

CLASSES = ("cat", "dog", "fish")


def attacked(goals: list[int] | None = None) -> Attacked:
    """Eight grey images, each of a brightness of its own; only the last is fooled."""
    inputs = torch.linspace(0, 0.7, 8)[:, None, None, None].expand(8, 1, 4, 4)
    zeros = torch.zeros(8, dtype=torch.long)
    fooled = torch.tensor([0] * 7 + [2])
    aims = None if goals is None else torch.tensor(goals)
    found = AttackReport(
        inputs, inputs, zeros, zeros, fooled, torch.zeros(8), torch.arange(8), forwards=0, backwards=0, goals=aims
    )
    return Attacked(found, found)


def picture(goal: Goal | None, goals: list[int] | None = None, classes: tuple[str, ...] = CLASSES) -> Image.Image:
    return Image.open(io.BytesIO(triple(attacked(goals), classes, attack="PGD", goal=goal, talk=Talk(quiet=True))))


def test_what_was_fooled_stands_first_and_at_most_six_are_shown() -> None:
    shown = picture(None).convert("L")
    first, second = shown.getpixel((100, 100)), shown.getpixel((100 + 154, 100))
    assert (first, second) == (round(0.7 * 255), 0)
    assert shown.width < 100 + SHOWN * 160


def test_the_picture_names_the_goal() -> None:
    plain, one = picture(None), picture(Goal("fish", 2), [2] * 8)
    assert one.tobytes() != plain.tobytes()
    assert one.size == plain.size
    each = [picture(Goal("a random class", rule="random"), goals) for goals in ([1, 2] * 4, [2, 1] * 4)]
    assert each[0].tobytes() != each[1].tobytes()


def test_above_each_image_stands_what_it_is_taken_for() -> None:
    plain, other = picture(None), picture(None, classes=("cat", "dog", "bird"))
    changed = (np.asarray(plain) != np.asarray(other)).any(axis=(1, 2)).nonzero()[0]
    # Of the three rows the second and the third have an image that is taken for the third class.
    assert set(changed // (plain.height // 3)) == {1, 2}
