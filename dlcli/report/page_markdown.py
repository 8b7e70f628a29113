"""A page as Markdown (CommonMark, with tables as on GitHub); foreign text is escaped so that it makes no markup, link or tag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from dlcli.report.page import Block, Code, Facts, Items, Missing, Page, Picture, Table, Text
from dlcli.report.text import safe

MARK = "<!-- made by dl report -->"
_TONES = {"verdict": "**→** ", "warning": "**Mind:** ", "fill": "**To be filled in by a person:** "}
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
# What is a heading, a list, a quotation or a rule at the beginning of a line only.
_LEADING = re.compile(r"^(?:[#+=-]|\d{1,9}[.)](?=\s|$))")


def markdown(page: Page) -> bytes:
    """Returns the page as UTF-8 Markdown."""
    parts = [MARK, f"# {escaped(page.title)}", escaped(page.lead)]
    for section in page.sections:
        parts += [f"## {escaped(section.title)}", *map(_block, section.blocks)]
        for part in section.parts:
            parts += [f"### {escaped(part.title)}", *map(_block, part.blocks)]
    parts += ["---", escaped(page.foot)]
    return ("\n\n".join(part for part in parts if part) + "\n").encode()


def escaped(text: str) -> str:
    """Returns foreign text on one line that Markdown shows literally: no emphasis, link, image, tag, table cell or heading."""
    shown = _MARKUP.sub(r"\\\1", safe(text).strip())
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # GitHub makes links of bare addresses.
    shown = shown.replace("://", r"\://").replace("www.", r"www\.").replace("@", "&#64;")
    return _LEADING.sub(_leading, shown)


def _leading(match: re.Match[str]) -> str:
    return f"{match.group()[:-1]}\\{match.group()[-1]}"


def _block(block: Block) -> str:
    match block:
        case Text(text, tone):
            return f"{_TONES.get(tone, '')}{escaped(text)}"
        case Missing(what, command):
            return f"Not measured: {escaped(what)}. Type {_code(command)}"
        case Items(items):
            return "\n".join(f"- {escaped(item)}" for item in items)
        case Facts(rows):
            return "\n".join(f"- **{escaped(name)}:** {escaped(value)}" for name, value in rows)
        case Table():
            return "\n".join(_table(block))
        case Picture():
            return _picture(block)
        case Code(text):
            lines = [safe(line) for line in text.splitlines()]
            fence = "`" * max(3, _longest_run(lines) + 1)
            return "\n".join([fence, *lines, fence])


def _table(table: Table) -> Iterator[str]:
    yield f"{escaped(table.caption)}\n"
    yield _row(table.header)
    yield _row(tuple("---" if place in table.words else "---:" for place in range(len(table.header))), raw=True)
    yield from map(_row, table.rows)


def _row(cells: tuple[str, ...], raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else escaped(cell) for cell in cells)} |"


def _picture(picture: Picture) -> str:
    if not picture.link:
        return f"{escaped(picture.caption)} (the picture is in the HTML file)"
    return f"![{escaped(picture.alt)}]({quote(picture.link, safe='/')})\n\n{escaped(picture.caption)}"


def _code(text: str) -> str:
    shown = safe(text)
    fence = "`" * (_longest_run([shown]) + 1)
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _longest_run(lines: list[str]) -> int:
    return max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
