"""``dl report``: one page about a model, as HTML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dlcli.commands.dossier import gather
from dlcli.errors import DataError, DlcliError, StorageError, UsageError
from dlcli.report import page_html, page_markdown
from dlcli.report.model_card import read_notes
from dlcli.report.model_page import model_page
from dlcli.report.text import shorten
from dlcli.runs.enclosed import read_enclosed
from dlcli.runs.find import BUILTIN, RunInfo, find_model
from dlcli.runs.folder import read_file, write_file_atomically
from dlcli.runs.run import refuse_links

_NOTES = "notes.md"
_LONGEST_NOTES = 200_000  # bytes


@dataclass(frozen=True)
class Report:
    """A written report.

    Args:
        html, markdown: where it lies.
        size: bytes of the HTML.
        remarks: what could not be read or shown, one line each.
    """

    html: Path
    markdown: Path
    size: int
    remarks: tuple[str, ...]


def report(reference: str | None, *, to: str | None = None, notes: str | None = None) -> Report:
    """Writes the report on a model and returns where it lies.

    Args:
        reference: a model reference, or a run that measured one; the newest finished model without it.
        to: the HTML file, beside which the Markdown goes; ``report.html`` in the run's folder without it.
        notes: a Markdown file with what only a person knows, a heading for each field of the card. It is kept in the run's
            folder as ``notes.md``, and counts for later reports too.

    Raises:
        UsageError: there is no such model, it has no run folder or is not finished, ``to`` names a file that is no report, or
            ``notes`` has other headings.
        DataError: the run's folder is broken. StorageError: it cannot be written.
    """
    model = _finished(reference)
    refuse_links(model.path)
    html = model.path / "report.html" if to is None else _goal(to)
    markdown = html.with_suffix(".md")
    _refuse_to_replace(html, page_html.MARK)
    _refuse_to_replace(markdown, page_markdown.MARK)
    written = None if notes is None else _given(notes)
    read, unread = _kept(model) if written is None else (read_notes(written.decode()), ())
    dossier = gather(model, beside=html.parent, notes=read)
    dossier = replace(dossier, remarks=(*dossier.remarks, *unread))
    page = model_page(dossier)
    content = page_html.html(page)
    if written is not None:
        write_file_atomically(model.path / _NOTES, written)
    write_file_atomically(html, content)
    write_file_atomically(markdown, page_markdown.markdown(page))
    said = [
        *dossier.remarks,
        *(f"{run.verb} {run.name}: {line}" for run in (dossier.model, *dossier.measured) for line in run.remarks),
    ]
    return Report(html, markdown, len(content), tuple(said))


def _finished(reference: str | None) -> RunInfo:
    """The finished run that a reference names."""
    run = find_model("latest" if reference is None else reference)
    if not isinstance(run, RunInfo):
        raise UsageError(
            f"the model is {run or BUILTIN}, which was not made by a run of yours: there is no folder to report on",
            hint="dl train mnist, then dl report",
        )
    if run.state == "broken":
        raise DataError(f"{run.path} is not a readable run: {run.problem}")
    if run.result is None:
        hint = f"wait for it, then dl report {run.id}" if run.state == "running" else f"dl {run.verb} --resume {run.id}"
        raise UsageError(f"run {run.id} is {run.state}; expected a finished one to report on", hint=hint)
    return run


def _goal(to: str) -> Path:
    path = Path(to)
    if path.suffix != ".html":
        pdf = ", then print it from a browser" if path.suffix == ".pdf" else ""
        name = (
            path.with_suffix(".html") if path.stem.strip(".") and not path.name.startswith(".") else path.parent / "report.html"
        )
        raise UsageError(f"--to {to}: expected a name that ends in .html", hint=f"--to {name}{pdf}")
    if not path.parent.is_dir():
        raise UsageError(f"--to {to}: there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")
    return path


def _refuse_to_replace(path: Path, mark: str) -> None:
    """Raises UsageError where writing would destroy what is no report."""
    if not path.exists() and not path.is_symlink():
        return
    ours = path.is_file() and not path.is_symlink()
    if ours:
        try:
            with path.open("rb") as file:
                ours = mark.encode() in file.read(4096)
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror}", hint="its permissions, or --to another name") from error
    if not ours:
        raise UsageError(f"{path} exists and was not made by dl report; it was left alone", hint="--to ANOTHER.html")


def _kept(model: RunInfo) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
    """The notes that an earlier report kept, and a remark where they cannot be read: the folder may be somebody else's."""
    path = model.path / _NOTES
    if not path.exists():
        return {}, ()
    try:
        return read_notes(_decodable(read_enclosed(model.path, _NOTES, limit=_LONGEST_NOTES), path).decode()), ()
    except DlcliError as error:
        return {}, (f"{path} is left out: {shorten(error.message, 200)}",)


def _given(given: str) -> bytes:
    """The file that --notes names."""
    path = Path(given)
    if not path.is_file():
        what = "that is a folder" if path.is_dir() else "there is no such file"
        raise UsageError(f"--notes {given}: {what}", hint="a Markdown file that begins with: ## Intended use")
    if path.stat().st_size > _LONGEST_NOTES:
        raise UsageError(f"--notes {given}: expected at most {_LONGEST_NOTES // 1000} kB of Markdown", hint="a shorter file")
    return _decodable(read_file(path), path)


def _decodable(data: bytes, path: Path) -> bytes:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); expected Markdown") from error
    return data
