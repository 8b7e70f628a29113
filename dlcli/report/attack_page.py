"""The page of a robustness report: what stood, how much that can be believed, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcli.report.embed import embed
from dlcli.report.page import Block, Page, Picture, Section, Table, Text

_ALT: Mapping[str, str] = {
    "curve": "Accuracy over the radius of the change, with 95 % intervals",
    "distances": "Histogram of the smallest change that fools the model, over the correctly classified examples",
    "certified": "Accuracy of the smoothed classifier over the radius: at most, after attacks, and at least, as certified",
    "confusion": "Confusion matrix under attack: true classes in rows, what they are taken for in columns",
    "examples": "Examples that fall: unchanged, changed, and the change itself, enlarged",
}


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """What the page tells.

    Args:
        title, lead: of the page.
        verdicts: sentences that the figures give, the most important first.
        warnings: what a reader must know before trusting them.
        tables: the tables of each section, by the section's title.
        pictures: PNGs by name; those named in no section come last.
        made: when, and by which version.
    """

    title: str
    lead: str
    verdicts: Sequence[str]
    warnings: Sequence[str]
    tables: Mapping[str, Sequence[Table]]
    pictures: Mapping[str, bytes]
    made: str


# Which pictures stand in which section; a section without a table and a picture is left out.
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Attacks": (),
    "Can it be believed?": (),
    "Over the radius": ("curve", "distances"),
    "Certified": ("certified",),
    "Classes": ("confusion",),
    "Examples": ("examples",),
    "Against another model": (),
}


def attack_page(facts: Robustness) -> Page:
    """Returns the page of a report. Raises ValueError for a picture that is no PNG."""
    summary: list[Block] = [Text(text, "verdict") for text in facts.verdicts]
    summary += [Text(text, "warning") for text in facts.warnings]
    sections = [Section("Summary", tuple(summary))]
    for title, names in SECTIONS.items():
        blocks: list[Block] = list(facts.tables.get(title, ()))
        blocks += [_picture(name, facts.pictures[name]) for name in names if name in facts.pictures]
        if blocks:
            sections.append(Section(title, tuple(blocks)))
    return Page(title=facts.title, lead=facts.lead, sections=tuple(sections), foot=facts.made)


def _picture(name: str, data: bytes) -> Picture:
    return Picture(embed(data), _ALT[name], f"{_ALT[name]}.", f"plots/{name}.png")
