"""The lessons' files: what each holds, and how it looks."""

import io
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from dlcli.cli.app import verb_names
from dlcli.errors import UsageError
from dlcli.report.lessons import SECTIONS, Command, Lesson, following, lesson_about, lesson_named, lessons, read, shown

TEXT = """---
title: Half a lesson
commands:
  dl train mnist: trains
explains: [train]
---
An **idea**.

## Formula
    y = x

## Paper
Somebody 1999.
"""
CONFIGS = Path(__file__).parents[2] / "configs"
every_lesson = pytest.mark.parametrize("lesson", lessons(), ids=[lesson.name for lesson in lessons()])


def drawn(lesson: Lesson, *, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, markup=False, highlight=False).print(shown(lesson))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_file_is_a_header_an_idea_and_sections() -> None:
    lesson = read("07_half.md", TEXT)
    assert (lesson.name, lesson.title, lesson.explains) == ("half", "Half a lesson", ("train",))
    assert lesson.commands == {"dl train mnist": "trains"}
    assert lesson.idea == "An **idea**."
    assert lesson.sections == {"Formula": "    y = x", "Paper": "Somebody 1999."}


@every_lesson
def test_a_lesson_says_what_to_try_what_to_look_for_what_goes_wrong_and_who_found_it(lesson: Lesson) -> None:
    assert set(lesson.sections) <= set(SECTIONS)
    assert {"Look for", "What goes wrong", "Paper"} <= set(lesson.sections)
    assert {"Formula", "In code"} & set(lesson.sections)
    assert lesson.commands
    assert all(shlex.split(command)[0] == "dl" and purpose for command, purpose in lesson.commands.items())


@every_lesson
def test_a_lesson_is_half_a_page_and_fits_narrow_terminals(lesson: Lesson) -> None:
    assert len(drawn(lesson, width=80)) <= 60
    assert len(lesson.title) <= 51  # beside its name in the list of 80 columns
    assert max(len(line) for line in drawn(lesson, width=60)) <= 60
    as_it_stands = [line for title in ("Formula", "In code") for line in lesson.sections.get(title, "").splitlines()]
    assert max(len(line) for line in as_it_stands) <= 60


def test_the_course_has_its_twenty_ideas_in_order() -> None:
    names = [lesson.name for lesson in lessons()]
    assert len(names) == len(set(names)) == 20
    assert names[0] == "deep-learning"
    first, last = lessons()[0], lessons()[-1]
    assert following(first) == lessons()[1]
    assert following(last) is None


def test_an_unknown_lesson_is_refused_with_what_is_near() -> None:
    with pytest.raises(UsageError, match="did you mean 'backpropagation'") as caught:
        lesson_named("backpropagaton")
    assert caught.value.hint == "dl learn backpropagation"


def test_no_two_lessons_explain_the_same() -> None:
    explained = [what for lesson in lessons() for what in lesson.explains]
    assert len(explained) == len(set(explained))


@pytest.mark.parametrize(
    ("verb", "chosen", "name"),
    [
        ("train", {"experiment": "mine", "model": "deep_sigmoid"}, "backpropagation"),
        ("train", {"experiment": "mnist_hog", "model": "linear"}, "features"),
        ("train", {"experiment": "perceptron", "data": "xor"}, "perceptron"),
        ("train", {"experiment": "mine"}, "training"),
        ("evaluate", {}, "image-classification"),
        ("finetune", {"model": "mine"}, "transfer"),
        ("attack", {"attack": "pgd"}, "adversarial"),
        ("explain", {"explainer": "gradcam", "study/explain@study": "landscape"}, "loss-surfaces"),
        ("train", {"experiment": "mnist", "adversary": "none", "model": "mnist_cnn"}, "mnist"),
        ("train", {"experiment": "mnist", "adversary": "trades", "model": "mnist_cnn"}, "adversarial"),
        ("explain", {"explainer": "lime"}, "grad-cam"),
    ],
)
def test_what_was_seen_has_a_lesson(verb: str, chosen: dict[str, str], name: str) -> None:
    lesson = lesson_about(verb, chosen)
    assert lesson is not None
    assert lesson.name == name


@pytest.mark.parametrize(
    ("verb", "seen", "name"),
    [
        ("explain", ["table"], "attrition"),
        ("explain", ["image"], "grad-cam"),
        ("evaluate", ["table"], "applications"),
        ("evaluate", ["groups", "table"], "ethics"),
        ("evaluate", ["groups", "image"], "ethics"),
        ("predict", ["table"], "attrition"),
        ("predict", ["image"], "image-classification"),
    ],
)
def test_what_was_shown_says_more_than_the_verb(verb: str, seen: list[str], name: str) -> None:
    lesson = lesson_about(verb, {"explainer": "integrated_gradients"}, seen=seen)
    assert lesson is not None
    assert lesson.name == name


def test_lessons_explain_only_what_there_is() -> None:
    there = {file.stem for group in ("", "experiment", "model", "adversary") for file in (CONFIGS / group).glob("*.yaml")}
    for verb in ("attack", "explain"):
        there |= {file.stem for group in (f"study/{verb}", "attack", "explainer") for file in (CONFIGS / group).glob("*.yaml")}
    there |= {file.stem for file in (CONFIGS / "study" / "train").glob("*.yaml")}
    explained = {what for lesson in lessons() for what in lesson.explains}
    assert {what.split()[0] for what in explained} <= {*verb_names()}
    assert {what.split()[1] for what in explained if " " in what} <= there | {"table", "groups"}


def test_a_command_too_long_for_a_line_can_still_be_copied() -> None:
    file = io.StringIO()
    line = "dl train mnist adversary=fgsm_rs adversary.epsilon=0.1 limit_train=10000 --epochs 2"
    Console(file=file, width=40).print(Command(line))
    drawn = file.getvalue()
    assert max(len(part) for part in drawn.splitlines()) <= 40
    assert len(drawn.splitlines()) == 3
    assert shlex.split(drawn.replace("\\\n", " ")) == line.split()  # as a shell reads it


def test_what_no_lesson_is_about_has_none() -> None:
    assert lesson_about("fetch", {}) is None
