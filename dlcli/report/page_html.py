"""A page as one self-contained HTML file: no request, no script, foreign text escaped, a strict policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape as escape_html

from dlcli.report.page import Block, Code, Facts, Items, Missing, Page, Picture, Section, Table, Text
from dlcli.report.page_style import STYLE, policy
from dlcli.report.text import safe

MARK = '<meta name="generator" content="dl report">'
_WIDE = 2.2  # times its height
_INSIDE_NUMBERS = re.compile(r"(?<=[0-9]) (?=[0-9]{3}\b|%)")
_TONES = {"verdict": "", "warning": "Mind: ", "fill": "To be filled in by a person: "}


def html(page: Page) -> bytes:
    """Returns the page as UTF-8 HTML."""
    return ("\n".join(_document(page)) + "\n").encode()


def escaped(text: str) -> str:
    """Returns foreign text fit for an element or a quoted attribute: markup and control characters are shown, not obeyed."""
    return escape_html(safe(text), quote=True)


def _document(page: Page) -> Iterator[str]:
    title = escaped(page.title)
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield '<head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy()}">'
    yield f'<meta name="viewport" content="width=device-width,initial-scale=1">{MARK}<meta name="referrer" content="no-referrer">'
    yield f"<title>{title}</title><style>{STYLE}</style></head>"
    yield f'<body><header><h1>{title}</h1><p class="lead">{escaped(page.lead)}</p></header>'
    links = "".join(f'<li><a href="#s{number}">{escaped(section.title)}</a></li>' for number, section in enumerate(page.sections))
    yield f'<nav aria-label="Contents"><ul>{links}</ul></nav>'
    yield "<main>"
    for number, section in enumerate(page.sections):
        yield from _section(section, number)
    yield f"</main><footer><p>{escaped(page.foot)}</p></footer></body></html>"


def _section(section: Section, number: int) -> Iterator[str]:
    yield f'<section id="s{number}"><h2>{escaped(section.title)}</h2>'
    yield from map(_block, section.blocks)
    for part in section.parts:
        yield f"<section><h3>{escaped(part.title)}</h3>"
        yield from map(_block, part.blocks)
        yield "</section>"
    yield "</section>"


def _block(block: Block) -> str:
    match block:
        case Text(text, tone):
            mark = f'<span class="mark">{_TONES[tone]}</span>' if _TONES.get(tone) else ""
            kind = "" if tone == "plain" else f' class="{tone}"'
            return f"<p{kind}>{mark}{_unbroken(escaped(text))}</p>"
        case Missing(what, command):
            return f'<p class="missing">Not measured: {escaped(what)}. Type <code>{escaped(command)}</code></p>'
        case Items(items):
            return f"<ul>{''.join(f'<li>{escaped(item)}</li>' for item in items)}</ul>"
        case Facts(rows):
            return f"<dl>{''.join(f'<dt>{escaped(name)}</dt><dd>{_unbroken(escaped(value))}</dd>' for name, value in rows)}</dl>"
        case Table():
            return _table(block)
        case Picture():
            return _picture(block)
        case Code(text):
            return f"<pre><code>{chr(10).join(escaped(line) for line in text.splitlines())}</code></pre>"


def _unbroken(text: str) -> str:
    """Escaped text whose numbers do not end one line and go on in the next: ``10 000``, ``99.4 %``."""
    return _INSIDE_NUMBERS.sub("&nbsp;", text)


def _table(table: Table) -> str:
    def cell(tag: str, scope: str, text: str, place: int) -> str:
        kind = ' class="word"' if place in table.words else ""
        value, opening, interval = text.rpartition(" [") if place not in table.words else ("", "", "")
        # An interval stands below its value: side by side, a few of them are wider than a phone.
        shown = f'{escaped(value)}<span class="bounds"> [{escaped(interval)}</span>' if opening else escaped(text)
        return f"<{tag}{scope}{kind}>{shown}</{tag}>"

    titles = "".join(cell("th", ' scope="col"', title, place) for place, title in enumerate(table.header))
    rows = []
    for row in table.rows:
        first = cell("th", ' scope="row"', row[0], 0)
        rows.append(f"<tr>{first}{''.join(cell('td', '', text, place) for place, text in enumerate(row[1:], start=1))}</tr>")
    caption = escaped(table.caption)
    body = f"<thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody>"
    # What scrolls must be reachable by keyboard.
    return (
        f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0">'
        f"<table><caption><span>{caption}</span></caption>{body}</table></div>"
    )


def _picture(picture: Picture) -> str:
    image = picture.image
    size = f'width="{image.width}" height="{image.height}"'
    shown = f'<img src="{image.uri}" {size} alt="{escaped(picture.alt)}">'
    if image.width > _WIDE * image.height:  # on a phone it keeps a size at which it can be read, and scrolls
        shown = f'<div class="scroll wide" role="region" aria-label="{escaped(picture.alt)}" tabindex="0">{shown}</div>'
    return f"<figure>{shown}<figcaption>{escaped(picture.caption)}</figcaption></figure>"
