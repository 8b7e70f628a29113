"""``dl learn``: reading lessons, and running what they show."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.learn import complete_lesson
from dlcli.report.lessons import Lesson, lessons

COMMANDS = [command for lesson in lessons() for command in lesson.commands]
PICTURELESS = {"frameworks"}  # nothing but figures
VERBS = ("train", "evaluate", "finetune", "attack", "explain")


def test_the_list_names_each_lesson_once_in_order(dl: Any) -> None:
    answer = dl("learn")
    assert answer.code == 0
    listed = [line.split()[1] for line in answer.out.splitlines() if line[:1].isdigit()]
    assert listed == [lesson.name for lesson in lessons()]


def test_a_lesson_is_read_without_torch_and_piped_without_colours(python: Any) -> None:
    code = "import sys; from dlcli.cli.answer import exit_code_of; print(exit_code_of(sys.argv[1:]), 'torch' in sys.modules)"
    answer = python(code, "learn", "backpropagation")
    assert answer.out.splitlines()[-1] == "0 False"
    assert "Backpropagation, and gradients that vanish" in answer.out
    assert "\x1b" not in answer.out
    assert not [line for line in answer.out.splitlines() if line != line.rstrip()]


def test_json_has_the_text_and_the_commands(dl: Any) -> None:
    (item,) = json.loads(dl("learn", "mnist", "--json").out)["items"]
    assert item["name"] == "mnist"
    assert "dl train mnist_fast" in item["commands"]
    assert len(json.loads(dl("learn", "--json").out)["items"]) == len(lessons())


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("learn adversarail", "did you mean 'adversarial'"),
        ("learn --run", "dl learn deep-learning --run"),
        ("learn mnist --open", "dl learn mnist --run --open"),
        ("learn mnist --json --run", "expected one"),
    ],
)
def test_mistakes_get_one_clear_line(dl: Any, typed: str, said: str) -> None:
    answer = dl(*typed.split())
    assert answer.code == 2
    assert said in answer.err
    assert answer.out == "" or "--json" in typed


def test_completion_knows_the_lessons() -> None:
    assert complete_lesson("back") == ["backpropagation"]


@pytest.mark.parametrize("command", [command for command in COMMANDS if shlex.split(command)[1] in VERBS])
def test_every_command_of_a_lesson_composes(dl: Any, command: str) -> None:
    words = shlex.split(command)[1:]
    for end in (0, -1) if "-m" in words else (0,):  # of a sweep the first values of all, and the last
        single = [f"{key}={value.split(',')[end]}" if value else key for key, _, value in (word.partition("=") for word in words)]
        answer = dl(*(word for word in single if word != "-m"), "--cfg", "job")
        assert answer.code == 0, answer.err


def test_the_commands_that_compose_nothing_are_reports() -> None:
    assert {shlex.split(command)[1] for command in COMMANDS} - set(VERBS) == {"report"}


def test_running_runs_the_commands_in_order_and_names_their_pictures(dl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {"dl train perceptron --epochs 2": "a first", "dl explain saliency --run builtin:mnist --limit 2": "a second"}
    lesson = Lesson("short", "Short", short, (), "An idea.", {})
    monkeypatch.setattr("dlcli.report.lessons.lessons", lambda: (lesson,))
    answer = dl("learn", "short", "--run")
    assert answer.code == 0, answer.err
    assert answer.err.index("$ dl train perceptron --epochs 2   a first") < answer.err.index("$ dl explain saliency")
    pictures = [line for line in answer.err.splitlines() if line.startswith("picture: ")]
    assert any("overlays.png" in line for line in pictures)


def test_the_first_command_that_fails_ends_it_with_its_code(dl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = Lesson("short", "Short", {"dl train nothing": "fails", "dl train perceptron": "never"}, (), "", {})
    monkeypatch.setattr("dlcli.report.lessons.lessons", lambda: (lesson,))
    answer = dl("learn", "short", "--run")
    assert answer.code == 2
    assert "'nothing'" in answer.err
    assert "never" not in answer.err


def test_a_sweeps_pictures_are_named(dl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = Lesson("short", "Short", {"dl train perceptron --epochs 2 -m seed=0,1": "a sweep"}, (), "An idea.", {})
    monkeypatch.setattr("dlcli.report.lessons.lessons", lambda: (lesson,))
    answer = dl("learn", "short", "--run")
    assert answer.code == 0, answer.err
    pictures = [Path(line.partition(" ")[2]) for line in answer.err.splitlines() if line.startswith("picture: ")]
    assert any("sweeps" in picture.parts for picture in pictures)
    assert all(picture.is_file() for picture in pictures)


def test_a_study_names_its_own_lesson(dl: Any) -> None:
    assert "dl learn backpropagation" in dl("explain", "gradients", "--run", "builtin:mnist", "study.examples=8").err


def test_verbs_name_the_lesson_at_their_end(dl: Any) -> None:
    answer = dl("explain", "gradcam", "--run", "builtin:mnist", "--limit", "2", "--no-evidence")
    assert "dl learn grad-cam" in answer.err
    assert "dl learn" not in dl("explain", "gradcam", "--run", "builtin:mnist", "--limit", "2", "--quiet").err


@pytest.mark.full
@pytest.mark.parametrize("lesson", lessons(), ids=[lesson.name for lesson in lessons()])
def test_every_lesson_runs(dl: Any, lesson: Lesson) -> None:
    answer = dl("learn", lesson.name, "--run")
    assert answer.code == 0, answer.err
    assert "picture: " in answer.err or lesson.name in PICTURELESS
