"""What a model is for and where it ends, after M. Mitchell et al. 2019, "Model Cards for Model Reporting" (FAT*).

What runs know is filled in; what only a person can know is marked as a place to fill.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dlcli.errors import UsageError, did_you_mean
from dlcli.report.dossier import Dossier
from dlcli.report.model_summary import SPLIT_WORDS
from dlcli.report.numbers import count
from dlcli.report.page import Block, Section, Text

# The fields that people fill: title → what belongs there.
FIELDS: Mapping[str, str] = {
    "Intended use": "which decisions this model is for, and who makes them",
    "Out of scope": "what it must not be used for",
    "Factors": "groups, instruments and surroundings that may change how well it works",
    "Ethical considerations": "whom a wrong answer harms, and what was done about it",
    "Caveats and recommendations": "what else a user must know, and what should be measured next",
}
_LONGEST = 4000  # characters of a paragraph


def card(dossier: Dossier) -> Section:
    """Returns the fields of a model card, each with the facts that are known, what a person wrote, or a mark."""
    facts = {
        "Intended use": _use(dossier),
        "Out of scope": _scope(dossier),
        "Factors": _factors(dossier),
        "Ethical considerations": (),
        "Caveats and recommendations": _caveats(dossier),
    }
    parts = [Section(title, tuple(_field(dossier, title, expected, facts[title]))) for title, expected in FIELDS.items()]
    parts += [Section("Metrics, data", tuple(_known(dossier)))]
    return Section("Intended use and limits", (), tuple(parts))


def read_notes(text: str) -> dict[str, tuple[str, ...]]:
    """Returns what a person wrote, field → paragraphs, from Markdown with a heading for each field.

    Raises:
        UsageError: a heading that is no field, text before the first heading, or a field twice.
    """
    found: dict[str, list[str]] = {}
    known = {title.casefold(): title for title in FIELDS}
    paragraphs: list[str] | None = None
    for block in _blocks(text):
        if block.startswith("#"):
            heading = block.lstrip("#").strip()
            title = known.get(heading.casefold())
            if title is None or title in found:
                wrong = "is there twice" if title else f"is no field of the card{did_you_mean(heading, FIELDS)}"
                raise UsageError(f"the heading '{heading[:60]}' {wrong}", hint=f"one of: {', '.join(FIELDS)}")
            paragraphs = found.setdefault(title, [])
        elif paragraphs is None:
            raise UsageError(f"notes begin with '{block[:40]}', expected a heading", hint="## Intended use")
        else:
            paragraphs.append(block[:_LONGEST])
    return {title: tuple(written) for title, written in found.items() if written}


def _blocks(text: str) -> Iterator[str]:
    """Headings, items of lists and paragraphs, each on one line."""
    pending: list[str] = []
    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        starts = stripped.startswith(("#", "- ", "* "))
        if (starts or not stripped) and pending:
            yield " ".join(pending)
            pending = []
        if stripped.startswith("#"):
            yield stripped
        elif stripped:
            pending.append(stripped)


def _field(dossier: Dossier, title: str, expected: str, facts: tuple[str, ...]) -> Iterator[Block]:
    yield from map(Text, facts)
    written = dossier.notes.get(title)
    if written:
        yield from map(Text, written)
    else:
        yield Text(f"{expected}.", "fill")


def _use(dossier: Dossier) -> tuple[str, ...]:
    data, kind = dossier.spec.get("name", "unknown data"), dossier.spec.get("kind", "example")
    shape = dossier.spec.get("shape")
    size = f" of {' x '.join(map(str, shape))}" if isinstance(shape, list) and shape and kind == "image" else ""
    names = ", ".join(dossier.classes[:12]) + (f" and {len(dossier.classes) - 12} more" if len(dossier.classes) > 12 else "")
    read = "a row with the columns of its table" if dossier.is_table else f"one {kind}{size}"
    return (f"It reads {read} like those of {data} and answers with one of: {names or 'its classes'}.",)


def _scope(dossier: Dossier) -> tuple[str, ...]:
    always = "It always answers with one of its classes, also for inputs that belong to none."
    elsewhere = [run for run in dossier.of("evaluate") if run.is_shifted]
    shift = (
        f"It was measured on other data than its own by {', '.join(run.id for run in elsewhere)}."
        if elsewhere
        else ("It was not measured on data from elsewhere; nothing here says how it does there.")
    )
    return always, shift


def _factors(dossier: Dossier) -> tuple[str, ...]:
    if any(run.groups is not None for run in dossier.evaluations):
        return ("Groups were measured; see Groups.",)
    return ("No groups were measured: differences between people or conditions are not known.",)


def _caveats(dossier: Dossier) -> tuple[str, ...]:
    said = ["Intervals are of 95 % and of the sampled examples alone: another training run or other data may fall outside."]
    if not dossier.attempts and not dossier.is_table:
        said.append("Nobody has tried to fool it.")
    if dossier.model.information.get("sweep"):
        said.append("It is one trial of a sweep; where the best of several was chosen by these figures, they flatter it.")
    return tuple(said)


def _known(dossier: Dossier) -> Iterator[Block]:
    run = dossier.figures
    sizes = dossier.data_facts.get("sizes")
    train = count(sizes.get("train")) if isinstance(sizes, Mapping) else "an unrecorded number of"
    yield Text(f"Metrics: as under Results, {SPLIT_WORDS[run.split]} figures with 95 % intervals where they are known.")
    yield Text(f"Evaluation data: the {SPLIT_WORDS[run.split]} part of {dossier.spec.get('name', 'unknown data')}, see Data.")
    yield Text(f"Training data: {train} examples of the same source; see Data and Lineage.")
