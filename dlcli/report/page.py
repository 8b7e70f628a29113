"""A page as a description: sections of blocks, from which one renderer makes HTML and another Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dlcli.report.embed import Embedded


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Args:
        tone: "plain"; "verdict", a sentence that the figures give; "warning", what a reader must know before trusting them;
            "fill", a place that only a person can fill; "aside", small print.
    """

    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Missing:
    """Something that was not measured, in words that follow a colon, and the command that measures it."""

    what: str
    command: str


@dataclass(frozen=True)
class Items:
    """A list of short texts."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """A table; the first column names its row, the others are numbers and stand to the right unless named in ``words``.

    Args:
        caption: what the table shows.
        header: one title per column.
        rows: cells, as many as there are titles.
        words: positions of columns that hold words.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset({0})


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        alt: what it shows, for those who do not see it.
        link: where Markdown finds its file: a path relative to the Markdown file, with slashes; empty where there is none.
    """

    image: Embedded
    alt: str
    caption: str
    link: str = ""


@dataclass(frozen=True)
class Code:
    """Text that is shown as it is typed, line by line."""

    text: str


Block = Text | Missing | Items | Facts | Table | Picture | Code


@dataclass(frozen=True)
class Section:
    """A titled part of a page; ``parts`` are sections below it, one level deep."""

    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole page.

    Args:
        title: its heading.
        lead: one line below it.
        sections: in the order of reading.
        foot: one line at the end.
    """

    title: str
    lead: str
    sections: tuple[Section, ...] = field(default=())
    foot: str = ""

    def blocks(self) -> Iterator[Block]:
        """Yields every block in the order of reading."""
        for section in self.sections:
            yield from section.blocks
            for part in section.parts:
                yield from part.blocks
