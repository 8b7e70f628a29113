"""Dossiers and pictures made up for the report's sections, and a reader of HTML that notices what a page must not hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image

from dlcli.report.dossier import Dossier, Evidence, Shot
from dlcli.report.embed import embed

_VOID = {"meta", "img", "br", "hr", "link", "input"}


class PageReader(HTMLParser):
    """Reads a page and keeps its tags, texts and faults."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.faults: list[str] = []
        self.feed(page)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if len(found) != len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def faults_of(page: bytes) -> list[str]:
    """What is wrong with a page: tags, requests, scripts, handlers, headings, pictures without words, tables without scopes."""
    reader = PageReader(page.decode())
    found = list(reader.faults)
    found += [
        f"<{tag}>" for tag, _ in reader.tags if tag in {"script", "iframe", "object", "embed", "link", "base", "form", "svg"}
    ]
    for tag, attributes in reader.tags:
        found += [f"<{tag} {name}>" for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            inside = (
                value is None or (name == "src" and value.startswith("data:image/")) or (name == "href" and value.startswith("#"))
            )
            found += [] if inside else [f"<{tag} {name}={value[:40]}>"]
    levels = [int(tag[1]) for tag, _ in reader.tags if tag in {"h1", "h2", "h3", "h4", "h5", "h6"}]
    if levels[:1] != [1] or levels.count(1) != 1 or any(after > before + 1 for before, after in pairwise(levels)):
        found.append(f"headings {levels}")
    found += ["<img> without words" for attributes in reader.all("img") if not attributes.get("alt")]
    found += ["<th> without scope" for attributes in reader.all("th") if attributes.get("scope") not in {"row", "col"}]
    if len(reader.all("table")) != len(reader.all("caption")):
        found.append("<table> without caption")
    ids = {attributes["id"] for _, attributes in reader.tags if "id" in attributes}
    found += [
        f"no #{href}" for attributes in reader.all("a") if (href := str(attributes.get("href")).removeprefix("#")) not in ids
    ]
    if reader.all("html") != [{"lang": "en"}]:
        found.append("no language")
    return found


@pytest.fixture(scope="session")
def read_page() -> Callable[[bytes], PageReader]:
    """A page's reader."""
    return lambda page: PageReader(page.decode())


@pytest.fixture(scope="session")
def faults() -> Callable[[bytes], list[str]]:
    """What is wrong with a page."""
    return faults_of


@pytest.fixture(scope="session")
def shot() -> Shot:
    """A small picture of a run."""
    buffer = io.BytesIO()
    Image.new("RGB", (30, 10), "red").save(buffer, format="PNG")
    return Shot(embed(buffer.getvalue()), "plots/some.png")


def metric(value: float | None, low: float | None = None, high: float | None = None, n: int | None = 100) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": n, "method": None if low is None else "wilson"}


@pytest.fixture(scope="session")
def entry() -> Callable[..., dict[str, Any]]:
    """A metric as ``result.json`` has it."""
    return metric


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Evidence]:
    """An evidence with the given fields, the others plain."""

    def made(verb: str = "train", **fields: Any) -> Evidence:
        plain: dict[str, Any] = {
            "name": "thing",
            "id": f"20260101-000000.000-{verb[:6]}",
            "seconds": 2.0,
            "metrics": {"test/accuracy": metric(0.9, 0.8, 0.95)} if verb in {"train", "evaluate", "finetune"} else {},
            "information": {"command": f"dl {verb} thing", "start": "2026-01-01T00:00:00+00:00", "device": "cpu"},
            "config": {},
            "config_text": "seed: 0\n",
            "shots": {},
            "files": {},
        }
        return Evidence(verb=verb, **{**plain, **fields})

    return made


@pytest.fixture(scope="session")
def make_dossier(make_run: Callable[..., Evidence]) -> Callable[..., Dossier]:
    """A dossier of a two-class model on a table, with the given fields."""

    def made(**fields: Any) -> Dossier:
        spec: Mapping[str, Any] = {"name": "people", "kind": "table", "shape": [2], "classes": ["stays", "leaves"], "columns": []}
        plain: dict[str, Any] = {
            "model": make_run(),
            "state": {"spec": spec, "data_digest": "abc"},
            "parents": (),
            "missing_parent": None,
            "measured": (),
            "descendants": (),
            "notes": {},
            "remarks": (),
            "made": "made today",
        }
        return Dossier(**{**plain, **fields})

    return made
