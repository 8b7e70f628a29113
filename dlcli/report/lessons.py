"""The lessons of ``dl learn``: Markdown files of the package, their header, and how they look in a terminal. No torch in here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.constrain import Constrain
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

from dlcli.errors import UsageError, nearest, suggestion

SECTIONS = ("Formula", "In code", "Look for", "What goes wrong", "Paper")
_AS_IT_STANDS = ("Formula", "In code")
_WIDTH = 80  # columns that are comfortable to read


@dataclass(frozen=True)
class Lesson:
    """One idea of a first course in deep learning.

    Args:
        name: as it is typed after ``dl learn``.
        title: what it is about, in a line.
        commands: command lines that show the idea, ``dl …``, each with what it does.
        explains: what it explains: a verb, alone or with what was chosen or seen: ``explain gradcam``, ``explain table``.
        idea: the idea in plain words, Markdown.
        sections: what else there is, by the names in ``SECTIONS``: Markdown, or lines that are shown as they stand.
    """

    name: str
    title: str
    commands: Mapping[str, str]
    explains: tuple[str, ...]
    idea: str
    sections: Mapping[str, str]


@cache
def lessons() -> tuple[Lesson, ...]:
    """Returns all lessons in their order."""
    found = sorted((file for file in files("dlcli").joinpath("assets/lessons").iterdir()), key=lambda file: file.name)
    return tuple(read(file.name, file.read_text(encoding="utf-8")) for file in found if file.name.endswith(".md"))


def read(file_name: str, text: str) -> Lesson:
    """Returns the lesson in a file ``NN_name.md``: a YAML header between lines of ``---``, the idea, and its sections."""
    _, header, body = text.split("---\n", 2)
    about = yaml.safe_load(header)
    idea, *parts = body.split("\n## ")
    sections = {title.strip(): content.strip("\n") for title, _, content in (part.partition("\n") for part in parts)}
    name = file_name.removesuffix(".md").partition("_")[2]
    return Lesson(name, about["title"], about["commands"], tuple(about.get("explains", ())), idea.strip(), sections)


def lesson_named(name: str) -> Lesson:
    """Returns the lesson of this name. Raises UsageError, with what is near."""
    known = {lesson.name: lesson for lesson in lessons()}
    if name not in known:
        near = nearest(name, known)
        raise UsageError(f"there is no lesson '{name}'{suggestion(near)}", hint=f"dl learn {near[0]}" if near else "dl learn")
    return known[name]


def lesson_about(verb: str, chosen: Mapping[str, str], *, seen: Sequence[str] = ()) -> Lesson | None:
    """Returns the lesson that explains what a verb shows: that of what was seen or chosen, else that of the verb.

    Args:
        chosen: names of parts by group, as Hydra has them; the earlier ones in the order below say more.
        seen: what is known besides of what was shown, such as ``table``; it says most.
    """
    known = {what: lesson for lesson in lessons() for what in lesson.explains}
    parts = {group.partition("@")[0]: name for group, name in chosen.items()}  # Hydra: study/explain@study
    groups = (f"study/{verb}", "adversary", "experiment", "model", "attack", "explainer", "data")
    names = [*seen, *(parts[group] for group in groups if group in parts)]
    return next((known[what] for what in [*(f"{verb} {name}" for name in names), verb] if what in known), None)


def following(lesson: Lesson) -> Lesson | None:
    """Returns the next lesson; None after the last."""
    known = lessons()
    place = known.index(lesson) + 1
    return known[place] if place < len(known) else None


def shown(lesson: Lesson) -> RenderableType:
    """Returns a lesson for a terminal."""
    return Constrain(Group(*_blocks(lesson)), width=_WIDTH)


def _blocks(lesson: Lesson) -> Iterator[RenderableType]:
    yield Text(lesson.title, style="bold")
    yield Text()
    yield _prose(lesson.idea)
    for title in SECTIONS:
        if title == "Look for":
            yield from (_heading("Try"), *_commands(lesson.commands))
        if title in lesson.sections:
            yield _heading(title)
            content = lesson.sections[title]
            yield Text(content) if title in _AS_IT_STANDS else _prose(content)
    after = following(lesson)
    yield Text()
    yield Text(f"dl learn {lesson.name} --run   runs what stands under Try")
    yield Text(f"next: dl learn {after.name}   {after.title}" if after else "that was the last lesson")


@dataclass(frozen=True)
class Command:
    """A command line for a terminal. Where it is too long for a line, it can still be copied: a shell reads on after ``\\``."""

    line: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yields its lines, each as long as the terminal allows."""
        first, *words = self.line.split()
        text = f"  {first}"
        for word in words:
            if cell_len(f"{text} {word}") + len(" \\") > options.max_width:
                yield Text(f"{text} \\", style="cyan")
                text = "     "
            text = f"{text} {word}"
        yield Text(text, style="cyan")


def _heading(title: str) -> RenderableType:
    return Padding(Text(title, style="bold"), (1, 0, 0, 0))


def _prose(text: str) -> RenderableType:
    return Markdown(text)


def _commands(commands: Mapping[str, str]) -> Iterator[RenderableType]:
    for command, purpose in commands.items():
        yield Command(command)
        yield Padding(Text(purpose), (0, 0, 0, 6))
